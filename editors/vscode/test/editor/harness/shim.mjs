// Stands in for the program in tests: runs the real one, has `serve` follow a script where there is
// one, and writes down every message that passes.
// node shim.mjs CONFIG.json ARGUMENTS…
import { spawn } from "node:child_process";
import { appendFileSync, readFileSync } from "node:fs";

const [configFile, ...parameters] = process.argv.slice(2);
const { truefill, serve, messages, calls } = JSON.parse(readFileSync(configFile, "utf8"));
const serves = parameters[0] === "serve";

/** Writes down the messages of a stream of the protocol. */
function recorder(from) {
  let rest = Buffer.alloc(0);
  return (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    for (;;) {
      const head = rest.indexOf("\r\n\r\n");
      const length = head < 0 ? undefined : Number(/Content-Length: *(\d+)/i.exec(rest.subarray(0, head))?.[1]);
      if (length === undefined || rest.length < head + 4 + length) {
        return;
      }
      const message = JSON.parse(rest.subarray(head + 4, head + 4 + length));
      appendFileSync(messages, `${JSON.stringify({ from, at: Date.now(), message })}\n`);
      rest = rest.subarray(head + 4 + length);
    }
  };
}

const child = spawn(truefill, serves ? [...parameters, ...serve] : parameters, {
  stdio: serves ? ["pipe", "pipe", "inherit"] : "inherit",
});
appendFileSync(calls, `${JSON.stringify({ parameters, pid: child.pid, cwd: process.cwd() })}\n`);
if (serves) {
  process.stdin.on("data", recorder("client")).pipe(child.stdin);
  child.stdout.on("data", recorder("server")).pipe(process.stdout);
  child.stdin.on("error", () => {});
  process.stdout.on("error", () => {});
}
process.on("SIGTERM", () => child.kill());
child.on("exit", (code, signal) => {
  process.exitCode = code ?? (signal ? 1 : 0);
  if (serves) {
    // What the editor goes on writing must not keep this process, which it would take for the program.
    process.stdin.destroy();
  }
});
