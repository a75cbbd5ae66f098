//! Where an imported module comes from: a declared dependency, the repository itself, or neither
//! (the standard library, or a package that nobody declared).

use std::cmp::Reverse;

use truefill_syntax::Language;

use super::own::{key, plain};
use super::{Project, family, is_listed};
use crate::mine::recipe::Recipe;

/// Where a module comes from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// The repository itself.
    Own,
    /// A declared dependency.
    Package(String),
}

/// Modules of Python's distributions that are not called like them.
const PYTHON_MODULES: &[(&str, &str)] = &[
    ("attr", "attrs"),
    ("bs4", "beautifulsoup4"),
    ("cairo", "pycairo"),
    ("cv2", "opencv_python"),
    ("crypto", "pycryptodome"),
    ("dateutil", "python_dateutil"),
    ("dotenv", "python_dotenv"),
    ("git", "gitpython"),
    ("google", "protobuf"),
    ("jose", "python_jose"),
    ("jwt", "pyjwt"),
    ("magic", "python_magic"),
    ("mysqldb", "mysqlclient"),
    ("openssl", "pyopenssl"),
    ("pil", "pillow"),
    ("pkg_resources", "setuptools"),
    ("psycopg2", "psycopg2_binary"),
    ("serial", "pyserial"),
    ("skimage", "scikit_image"),
    ("sklearn", "scikit_learn"),
    ("slugify", "python_slugify"),
    ("yaml", "pyyaml"),
    ("zmq", "pyzmq"),
];

/// Java packages that do not start with their group, and PHP namespaces that are not their
/// vendor's.
const JAVA_PACKAGES: &[(&str, &str)] = &[
    ("com.google.common", "com.google.guava"),
    ("org.junit", "junit"),
    ("junit.framework", "junit"),
    ("org.hamcrest", "org.hamcrest"),
    ("com.fasterxml.jackson", "com.fasterxml.jackson"),
    ("javax.inject", "javax.inject"),
    ("org.apache.commons.lang", "commons-lang"),
    ("org.apache.commons.io", "commons-io"),
    ("org.apache.commons.logging", "commons-logging"),
    ("org.apache.commons.codec", "commons-codec"),
    ("lombok", "org.projectlombok"),
];
const PHP_VENDORS: &[(&str, &str)] = &[("illuminate", "laravel"), ("carbon", "nesbot")];

/// Groups that hold many projects: their third part tells them apart.
const JAVA_UMBRELLAS: &[&str] = &[
    "org.apache",
    "com.google",
    "com.github",
    "io.github",
    "org.eclipse",
    "com.amazonaws",
    "net.java",
];

impl Project {
    /// Where `module`, as an import spells it, comes from.
    pub fn origin(&self, language: Language, module: &str, recipe: &Recipe) -> Option<Origin> {
        if self.is_own(language, module) {
            return Some(Origin::Own);
        }
        let declared = self.declared.get(&family(language));
        let names = declared.into_iter().flatten().map(|(name, _)| name);
        // Of a vendor's packages the one that is most like the module; between two that are equally
        // like it, the one that is asked for.
        let found = names
            .filter(|name| matches(language, module, name))
            .min_by_key(|name| {
                let listed = is_listed(language, name, &recipe.packages);
                Reverse((shared_parts(module, name), listed))
            })
            .cloned();
        let found = found.or_else(|| included(language, module, recipe));
        found.map(Origin::Package)
    }

    /// The repository has a file that is called like a type.
    pub fn has_type(&self, language: Language, name: &str) -> bool {
        let name = match language {
            Language::Ruby => plain(name),
            _ => name.to_owned(),
        };
        self.files.contains(&key(language, &name))
    }

    fn is_own(&self, language: Language, module: &str) -> bool {
        let own = self.own.get(&family(language)).into_iter().flatten();
        match language {
            Language::Python => {
                let top = top(module, '.');
                top.is_empty() || own.clone().any(|name| name == top)
            }
            Language::JavaScript | Language::TypeScript | Language::Tsx => {
                module.starts_with('.')
                    || module.starts_with("@/")
                    || module.starts_with("~/")
                    || own.clone().any(|name| name == npm_package(module))
            }
            Language::Rust => {
                let top = top(module, ':');
                matches!(top, "crate" | "self" | "super") || own.clone().any(|name| name == top)
            }
            Language::Go => own.clone().any(|name| {
                // The standard library's own repository calls itself `std`.
                within(module, name, '/') || (name == "std" && !top(module, '/').contains('.'))
            }),
            Language::Java => own.clone().any(|name| within(module, name, '.')),
            Language::CSharp => own.clone().any(|name| within(module, name, '.')),
            Language::Php => {
                let module = module.trim_start_matches('\\');
                own.clone().any(|name| within(module, name, '\\'))
            }
            Language::Ruby => {
                module.starts_with('.') || own.clone().any(|name| within(module, name, '/'))
            }
            Language::Cpp => {
                let path = module.trim_start_matches("./");
                let path = path.rsplit("../").next().unwrap_or(path);
                self.files.contains(&key(Language::Cpp, path))
            }
        }
    }
}

/// The dependency `name` brings `module`.
fn matches(language: Language, module: &str, name: &str) -> bool {
    match language {
        Language::Python => {
            let top = top(module, '.').to_ascii_lowercase();
            let alias = PYTHON_MODULES.iter().find(|(module, _)| *module == top);
            top == name || alias.is_some_and(|(_, package)| *package == name)
        }
        Language::JavaScript | Language::TypeScript | Language::Tsx => npm_package(module) == name,
        Language::Rust => top(module, ':') == name.replace('-', "_"),
        Language::Go => within(module, name, '/'),
        Language::Java => java(module, name.split(':').next().unwrap_or(name)),
        Language::CSharp => {
            within(module, name, '.') || (name.contains('.') && within(name, module, '.'))
        }
        Language::Php => php(module, name),
        Language::Ruby => {
            let path = name.replace('-', "/");
            within(module, name, '/') || within(module, &path, '/') || plain(module) == plain(name)
        }
        Language::Cpp => {
            let top = top(module, '/').to_ascii_lowercase();
            let stem = top.split('.').next().unwrap_or(&top);
            let name = name.to_ascii_lowercase();
            stem == name || name.strip_prefix("lib").is_some_and(|rest| rest == stem)
        }
    }
}

/// How many of a package's parts the module has.
fn shared_parts(module: &str, package: &str) -> usize {
    let parts = |text: &str| -> Vec<String> {
        let parts = text.split(|c: char| !c.is_alphanumeric());
        let parts = parts.filter(|part| !part.is_empty());
        parts.map(str::to_lowercase).collect()
    };
    let module = parts(module);
    let mut package = parts(package);
    package.dedup();
    package.iter().filter(|part| module.contains(part)).count()
}

/// A C++ library by the include paths that the recipe gives it (paper "hard negatives", E.1).
fn included(language: Language, module: &str, recipe: &Recipe) -> Option<String> {
    if language != Language::Cpp {
        return None;
    }
    let mut libraries = recipe.include_paths.iter();
    libraries
        .find(|(_, starts)| starts.iter().any(|start| module.starts_with(&**start)))
        .map(|(name, _)| name.clone())
}

fn java(module: &str, group: &str) -> bool {
    if let Some((_, package)) = JAVA_PACKAGES
        .iter()
        .find(|(start, _)| within(module, start, '.'))
        && within(group, package, '.')
    {
        return true;
    }
    let umbrella = JAVA_UMBRELLAS.iter().any(|start| within(group, start, '.'));
    let needed = if umbrella { 3 } else { 2 };
    let parts = group.split('.').count();
    let shared = module
        .split('.')
        .zip(group.split('.'))
        .take_while(|(a, b)| a == b)
        .count();
    shared >= needed.min(parts) && shared > 0
}

fn php(module: &str, package: &str) -> bool {
    let top = plain(top(module.trim_start_matches('\\'), '\\'));
    let alias = PHP_VENDORS.iter().find(|(namespace, _)| *namespace == top);
    package.split('/').any(|part| plain(part) == top)
        || alias.is_some_and(|(_, vendor)| package.split('/').next() == Some(vendor))
}

/// `lodash/fp` is in `lodash`, `@a/b/c` in `@a/b`.
fn npm_package(module: &str) -> &str {
    let slashes = if module.starts_with('@') { 2 } else { 1 };
    let end = module.match_indices('/').nth(slashes - 1);
    end.map_or(module, |(at, _)| &module[..at])
}

fn top(module: &str, separator: char) -> &str {
    module.split(separator).next().unwrap_or(module)
}

/// `module` is `root` or lies below it.
fn within(module: &str, root: &str, separator: char) -> bool {
    !root.is_empty()
        && module
            .strip_prefix(root)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(separator))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(own: &[(Language, &str)], declared: &[(Language, &str)]) -> Project {
        let mut project = Project::default();
        for (language, name) in own {
            project
                .own
                .entry(*language)
                .or_default()
                .insert((*name).into());
        }
        for (language, name) in declared {
            let known = project.declared.entry(*language).or_default();
            known.insert((*name).into(), None);
        }
        project
    }

    #[test]
    fn modules_lead_to_packages_or_home() {
        use Language::*;
        let project = project(
            &[
                (Python, "mine"),
                (JavaScript, "@me/lib"),
                (Rust, "my_crate"),
                (Go, "example.org/m"),
                (Java, "org.me.app"),
                (CSharp, "Me.App"),
                (Php, "Me\\App"),
                (Ruby, "me"),
            ],
            &[
                (Python, "scikit_learn"),
                (Python, "numpy"),
                (JavaScript, "lodash"),
                (JavaScript, "@a/b"),
                (Rust, "serde-json"),
                (Go, "github.com/a/b"),
                (Java, "com.google.guava:guava"),
                (Java, "org.slf4j:slf4j-api"),
                (Java, "org.apache.lucene:core"),
                (CSharp, "Newtonsoft.Json"),
                (Php, "symfony/console"),
                (Ruby, "net-ssh"),
                (Cpp, "fmt"),
            ],
        );
        let package = |name: &str| Some(Origin::Package(name.to_owned()));
        for (language, module, expected) in [
            (Python, "mine.sub", Some(Origin::Own)),
            (Python, ".sibling", Some(Origin::Own)),
            (Python, "sklearn.svm", package("scikit_learn")),
            (Python, "numpy", package("numpy")),
            (Python, "os.path", None),
            (TypeScript, "./x", Some(Origin::Own)),
            (TypeScript, "lodash/fp", package("lodash")),
            (Tsx, "@a/b/c", package("@a/b")),
            (JavaScript, "@me/lib", Some(Origin::Own)),
            (JavaScript, "fs", None),
            (Rust, "crate::a", Some(Origin::Own)),
            (Rust, "serde_json::value", package("serde-json")),
            (Rust, "std::io", None),
            (Go, "example.org/m/x", Some(Origin::Own)),
            (Go, "github.com/a/b/c", package("github.com/a/b")),
            (Go, "fmt", None),
            (Java, "org.me.app.x.Y", Some(Origin::Own)),
            (
                Java,
                "com.google.common.base",
                package("com.google.guava:guava"),
            ),
            (Java, "org.slf4j", package("org.slf4j:slf4j-api")),
            (Java, "org.apache.kafka", None),
            (Java, "java.util", None),
            (CSharp, "Me.App.Core", Some(Origin::Own)),
            (CSharp, "Newtonsoft.Json.Linq", package("Newtonsoft.Json")),
            (CSharp, "System", None),
            (
                Php,
                "Symfony\\Component\\Console",
                package("symfony/console"),
            ),
            (Php, "Me\\App\\X", Some(Origin::Own)),
            (Ruby, "net/ssh", package("net-ssh")),
            (Ruby, "json", None),
            (Cpp, "fmt/core.h", package("fmt")),
            (Cpp, "vector", None),
        ] {
            let found = project.origin(language, module, &Recipe::default());
            assert_eq!(found, expected, "{language} {module}");
        }
    }

    /// Of several packages that a module may be of, the one that is asked for counts, else the nearest.
    #[test]
    fn a_vendors_packages_are_told_apart() {
        use Language::*;
        let project = project(
            &[],
            &[
                (Php, "psr/cache"),
                (Php, "psr/log"),
                (Java, "io.netty:netty-buffer"),
                (Java, "io.netty:netty-handler"),
            ],
        );
        let origin = |language, module, packages: &[&str]| {
            let recipe = Recipe {
                packages: packages.iter().map(|name| (*name).into()).collect(),
                ..Recipe::default()
            };
            project.origin(language, module, &recipe)
        };
        let package = |name: &str| Some(Origin::Package(name.to_owned()));
        assert_eq!(
            origin(Php, "Psr\\Log\\LoggerInterface", &[]),
            package("psr/log")
        );
        assert_eq!(origin(Php, "Psr\\Clock", &["psr/log"]), package("psr/log"));
        let cache = origin(Php, "Psr\\Cache\\Pool", &["psr/log"]);
        assert_eq!(cache, package("psr/cache"), "not what is asked for");
        let netty = package("io.netty:netty-handler");
        assert_eq!(origin(Java, "io.netty.handler.ssl", &[]), netty);
        let asked = origin(Java, "io.netty.handler.ssl", &["io.netty:netty-buffer"]);
        assert_eq!(asked, netty, "not what is asked for");
    }

    #[test]
    fn libraries_of_cpp_are_known_by_their_include_paths() {
        let mut recipe = Recipe::default();
        recipe
            .include_paths
            .insert("abseil".into(), vec!["absl/".into()]);
        let found = Project::default().origin(Language::Cpp, "absl/strings/x.h", &recipe);
        assert_eq!(found, Some(Origin::Package("abseil".into())));
    }
}
