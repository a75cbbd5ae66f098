import assert from "node:assert/strict";
import { test } from "node:test";
import { findProgram, type Surroundings } from "../../src/binary.ts";

/** The search with these programs on the disk. */
function search(programs: string[], around: Partial<Surroundings> = {}) {
  return findProgram({
    setting: "",
    extension: "/extension",
    searchPath: "/usr/local/bin:/usr/bin",
    home: "/home/ada",
    workspace: ["/src/shop"],
    windows: false,
    isProgram: (file) => programs.includes(file),
    ...around,
  });
}

test("what the user names wins, then what came along, then PATH in its order", () => {
  const all = ["/opt/truefill", "/extension/bin/truefill", "/usr/local/bin/truefill", "/usr/bin/truefill"];
  const cases: [string[], string, object][] = [
    [all, "/opt/truefill", { file: "/opt/truefill", origin: "setting" }],
    [all, "", { file: "/extension/bin/truefill", origin: "extension" }],
    [all.slice(2), " ", { file: "/usr/local/bin/truefill", origin: "path" }],
    [all.slice(3), "", { file: "/usr/bin/truefill", origin: "path" }],
  ];
  for (const [programs, setting, expected] of cases) {
    assert.deepEqual(search(programs, { setting }), expected);
  }
});

test("what the user names is taken or is an error, and nothing else is tried", () => {
  const found = search(["/usr/bin/truefill"], { setting: "/opt/truefill" });
  assert.match("problem" in found ? found.problem : "", /there is none at `\/opt\/truefill`/);
  const relative = search(["bin/truefill"], { setting: "bin/truefill" });
  assert.match("problem" in relative ? relative.problem : "", /absolute path of a program, found `bin\/truefill`/);
  const home = search(["/home/ada/bin/truefill"], { setting: "~/bin/truefill" });
  assert.deepEqual(home, { file: "/home/ada/bin/truefill", origin: "setting" });
});

test("a workspace has no say in which program is run", () => {
  for (const searchPath of ["/src/shop/bin", "/src/shop", "bin", "", ".", "/src/shop/../shop/bin"]) {
    const programs = ["/src/shop/bin/truefill", "/src/shop/truefill", "bin/truefill", "truefill"];
    assert.ok("problem" in search(programs, { searchPath }), searchPath);
  }
  const beside = search(["/src/shop-tools/truefill"], { searchPath: "/src/shop-tools" });
  assert.deepEqual(beside, { file: "/src/shop-tools/truefill", origin: "path" });
});

test("a program in PATH that is in the workspace is named, with what to do about it", () => {
  const around = { workspace: ["/home/ada"], searchPath: "/home/ada/.cargo/bin:/usr/bin" };
  const found = search(["/home/ada/.cargo/bin/truefill"], around);
  assert.match(
    "problem" in found ? found.problem : "",
    /`\/home\/ada\/\.cargo\/bin\/truefill`, which lies in the folder .* name it by `truefill\.server\.path`\.$/,
  );
  const other = search(["/home/ada/.cargo/bin/truefill", "/usr/bin/truefill"], around);
  assert.deepEqual(other, { file: "/usr/bin/truefill", origin: "path" });
  assert.match(JSON.stringify(search([], around)), /is neither in this extension nor in/);
});

test("on Windows it has an extension and other separators", () => {
  const around = { windows: true, searchPath: "C:\\tools;D:\\bin", extension: "C:\\ext", workspace: ["C:\\shop"] };
  assert.deepEqual(search(["D:\\bin\\truefill.exe"], around), { file: "D:\\bin\\truefill.exe", origin: "path" });
  assert.ok("problem" in search(["C:\\shop\\truefill.exe"], { ...around, searchPath: "C:\\shop" }));
});
