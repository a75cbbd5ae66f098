use super::*;
use crate::mine::packages::family;
use truefill_syntax::{holes_and_symbols, parse};

/// The origins of all calls that are marked by their text.
fn check(language: Language, text: &str, project: &Project, calls: &[(&str, &str)]) {
    let tree = parse(language, text).expect("parsed");
    let recipe = Recipe::default();
    let mut bindings = Bindings::new(language, text);
    let (_, symbols) = holes_and_symbols(language, text, &tree, &[], |node| bindings.see(node));
    let scene = Scene::new(language, symbols, bindings, project, &recipe);
    for (call, expected) in calls {
        let at = text
            .find(call)
            .unwrap_or_else(|| panic!("{language}: no `{call}`"));
        let found = match scene.origin(&text[at..], at) {
            Some(Origin::Own) => "own".to_owned(),
            Some(Origin::Package(name)) => name,
            None => "-".to_owned(),
        };
        assert_eq!(found, *expected, "{language} {call}");
    }
}

fn project(language: Language, own: &[&str], declared: &[&str]) -> Project {
    let mut project = Project::default();
    let language = family(language);
    let names = own.iter().map(|name| (*name).to_owned()).collect();
    project.own.insert(language, names);
    let declared = declared.iter().map(|name| ((*name).to_owned(), None));
    project.declared.insert(language, declared.collect());
    project
}

#[test]
fn python() {
    let project = project(Language::Python, &["mine"], &["numpy", "requests"]);
    check(
        Language::Python,
        "import numpy as np\nimport requests, os\nfrom mine.tools import helper\nfrom unknown import thing\n\n\ndef local(x): return x\n\n\nclass A:\n    def __init__(self):\n        self.session = requests.Session()\n\n    def run(self, arr):\n        a = np.zeros(3)\n        os.getcwd(1)\n        helper(a)\n        local(a)\n        thing(a)\n        self.session.get('u')\n        self.run(1)\n        self.unknown(1)\n        a.sum(0)\n        arr.mean(1)\n        print(a)\n",
        &project,
        &[
            ("np.zeros(3)", "numpy"),
            ("os.getcwd(1)", "-"),
            ("helper(a)", "own"),
            ("local(a)", "own"),
            ("thing(a)", "-"),
            ("self.session.get('u')", "requests"),
            ("self.run(1)", "own"),
            ("self.unknown(1)", "-"),
            ("a.sum(0)", "numpy"),
            ("arr.mean(1)", "-"),
            ("print(a)", "-"),
        ],
    );
}

#[test]
fn typescript_and_javascript() {
    let project = project(Language::TypeScript, &["@me/app"], &["lodash", "axios"]);
    check(
        Language::TypeScript,
        "import _ from 'lodash';\nimport { create, type Instance } from 'axios';\nimport { tool } from './tool';\nimport fs from 'fs';\nclass S {\n  constructor(private http: Instance) {}\n  go() { const c = create({}); c.get('/x'); tool(1); fs.readFileSync('y'); _.map([], f); this.http.post('z'); }\n}\n",
        &project,
        &[
            ("create({})", "axios"),
            ("c.get('/x')", "axios"),
            ("tool(1)", "own"),
            ("fs.readFileSync('y')", "-"),
            ("_.map([], f)", "lodash"),
            ("this.http.post('z')", "axios"),
        ],
    );
    check(
        Language::JavaScript,
        "const { map } = require('lodash');\nconst tool = require('../tool');\nmap(x, y);\ntool.run(z);\n",
        &project,
        &[("map(x, y)", "lodash"), ("tool.run(z)", "own")],
    );
}

#[test]
fn rust_and_go() {
    let found = project(Language::Rust, &["mine"], &["serde_json", "tokio"]);
    check(
        Language::Rust,
        "use serde_json::Value;\nuse std::fs;\nuse crate::tool::Helper;\nfn f(h: &Helper, v: Value) {\n    h.help(1);\n    v.get(\"a\");\n    fs::read(\"x\");\n    let r = serde_json::from_str(s);\n    crate::tool::make(2);\n}\n",
        &found,
        &[
            ("h.help(1)", "own"),
            ("v.get(\"a\")", "serde_json"),
            ("fs::read(\"x\")", "-"),
            ("crate::tool::make(2)", "own"),
        ],
    );
    let found = project(Language::Go, &["example.org/m"], &["github.com/a/mux"]);
    check(
        Language::Go,
        "package p\nimport (\n\t\"fmt\"\n\t\"example.org/m/tool\"\n\t\"github.com/a/mux\"\n)\nfunc f() {\n\tr := mux.NewRouter(1)\n\tr.Handle(\"/\")\n\ttool.Run(2)\n\tfmt.Println(3)\n\tsibling(4)\n}\n",
        &found,
        &[
            ("mux.NewRouter(1)", "github.com/a/mux"),
            ("r.Handle(\"/\")", "github.com/a/mux"),
            ("tool.Run(2)", "own"),
            ("fmt.Println(3)", "-"),
            ("sibling(4)", "own"),
        ],
    );
}

/// One own name at the root says nothing of what lies behind it.
#[test]
fn every_name_of_the_chain_is_followed() {
    let found = project(
        Language::Go,
        &["example.org/m"],
        &["github.com/gorilla/mux"],
    );
    check(
        Language::Go,
        "package p\nimport (\n\t\"sync\"\n\t\"github.com/gorilla/mux\"\n)\ntype Beam struct {\n\tmutex sync.Mutex\n\trouter *mux.Router\n}\nfunc (b *Beam) f(w Writer) {\n\tb.mutex.Lock(1)\n\tb.router.HandleFunc(2)\n\tb.turn(3)\n\tx := lookup(w)\n\tx.Go(4)\n}\n",
        &found,
        &[
            ("b.mutex.Lock(1)", "-"),
            ("b.router.HandleFunc(2)", "github.com/gorilla/mux"),
            ("b.turn(3)", "own"),
            ("x.Go(4)", "-"),
        ],
    );
    let mut found = project(Language::Java, &["org.me"], &["com.google.guava:guava"]);
    let plan = crate::mine::packages::own(Language::Java, "org/me/LoadPlan.java", "");
    found.add_file(Language::Java, plan);
    check(
        Language::Java,
        "package org.me;\nimport com.google.common.base.Preconditions;\nclass A {\n  private final LoadPlan plan;\n  A(LoadPlan plan) { this.plan = Preconditions.checkNotNull(plan); }\n  void f() { plan.finish(1); this.plan.reject(2); }\n}\n",
        &found,
        &[
            ("Preconditions.checkNotNull(plan)", "com.google.guava:guava"),
            ("plan.finish(1)", "own"),
            ("this.plan.reject(2)", "own"),
        ],
    );
    let mut found = project(Language::Cpp, &[], &[]);
    let header = crate::mine::packages::own(Language::Cpp, "src/tool/thing.h", "");
    found.add_file(Language::Cpp, header);
    check(
        Language::Cpp,
        "#include \"tool/thing.h\"\nvoid f() { sails_.size(0); make_sail(1); Sail::parse(2); }\n",
        &found,
        &[
            ("sails_.size(0)", "-"),
            ("make_sail(1)", "own"),
            ("Sail::parse(2)", "own"),
        ],
    );
}

#[test]
fn java_and_csharp() {
    let found = project(Language::Java, &["org.me.app"], &["com.google.guava:guava"]);
    check(
        Language::Java,
        "package org.me.app;\nimport com.google.common.collect.Lists;\nimport org.me.app.tool.Tool;\nimport java.util.List;\nclass A {\n  private final Tool tool = new Tool();\n  void m(int a) {}\n  void f() { List<String> x = Lists.newArrayList(1); tool.run(2); m(3); x.add(4); }\n}\n",
        &found,
        &[
            ("Lists.newArrayList(1)", "com.google.guava:guava"),
            ("tool.run(2)", "own"),
            ("m(3)", "own"),
            ("x.add(4)", "-"),
        ],
    );
    let mut found = project(Language::CSharp, &["Me.App"], &["Newtonsoft.Json"]);
    let helper = crate::mine::packages::own(Language::CSharp, "a/Helper.cs", "");
    found.add_file(Language::CSharp, helper);
    check(
        Language::CSharp,
        "using System;\nusing Newtonsoft.Json;\nnamespace Me.App { class A { void F(Helper h) { var s = JsonConvert.SerializeObject(1); h.Go(2); Console.WriteLine(3); Helper.Make(4); } } }\n",
        &found,
        &[
            ("JsonConvert.SerializeObject(1)", "Newtonsoft.Json"),
            ("h.Go(2)", "own"),
            ("Console.WriteLine(3)", "-"),
            ("Helper.Make(4)", "own"),
        ],
    );
}

#[test]
fn php_ruby_and_cpp() {
    let found = project(Language::Php, &["Me\\App"], &["symfony/console"]);
    check(
        Language::Php,
        "<?php\nnamespace Me\\App;\nuse Symfony\\Component\\Console\\Application;\nuse Me\\App\\Tool;\nclass A { function f(Tool $tool) { $app = new Application('x'); $app->add(1); $tool->run(2); $this->f(3); strlen(4); } }\n",
        &found,
        &[
            ("$app->add(1)", "symfony/console"),
            ("$tool->run(2)", "own"),
            ("$this->f(3)", "own"),
            ("strlen(4)", "-"),
        ],
    );
    let mut found = project(Language::Ruby, &["mine"], &["nokogiri"]);
    let helper = crate::mine::packages::own(Language::Ruby, "lib/mine/big_helper.rb", "");
    found.add_file(Language::Ruby, helper);
    check(
        Language::Ruby,
        "require 'nokogiri'\nrequire 'json'\nclass A\n  def m(x)\n    doc = Nokogiri.parse(x)\n    doc.css('a')\n    BigHelper.go(1)\n    JSON.parse(2)\n    m(3)\n  end\nend\n",
        &found,
        &[
            ("Nokogiri.parse(x)", "nokogiri"),
            ("doc.css('a')", "nokogiri"),
            ("BigHelper.go(1)", "own"),
            ("JSON.parse(2)", "-"),
            ("m(3)", "own"),
        ],
    );
    let mut found = project(Language::Cpp, &[], &["fmt"]);
    let header = crate::mine::packages::own(Language::Cpp, "src/tool/thing.h", "");
    found.add_file(Language::Cpp, header);
    check(
        Language::Cpp,
        "#include <fmt/core.h>\n#include <vector>\n#include \"tool/thing.h\"\nvoid f() { fmt::print(\"x\"); Thing t; t.run(1); tool::make(2); std::move(3); }\n",
        &found,
        &[
            ("fmt::print(\"x\")", "fmt"),
            ("t.run(1)", "own"),
            ("tool::make(2)", "own"),
            ("std::move(3)", "-"),
        ],
    );
}
