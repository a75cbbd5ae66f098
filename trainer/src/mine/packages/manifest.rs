//! Which files are manifests, and what each says.

use truefill_syntax::Language;

use super::{data, file_name, lines, version, xml};
use crate::mine::licence;

/// The name under which a gem's own description is given.
pub const GEM_METADATA: &str = "metadata.gem.yaml";

/// What a manifest says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Meta {
    /// The folder for which it speaks.
    pub folder: String,
    /// The file's name.
    pub name: String,
    /// A licence, as it is written.
    pub licence: Option<String>,
    /// The licence whose text the file is, as SPDX names it.
    pub licence_text: Option<String>,
    /// The repository's URL.
    pub repository: Option<String>,
    /// Own packages.
    pub own: Vec<(Language, String)>,
    /// Dependencies with their least versions.
    pub declared: Vec<(Language, String, Option<String>)>,
}

impl Meta {
    /// Adds a dependency.
    pub(super) fn declare(&mut self, language: Language, name: &str, requirement: &str) {
        let name = name.trim();
        if !name.is_empty() {
            let version = version::lowest(requirement);
            self.declared.push((language, name.to_owned(), version));
        }
    }

    /// Adds an own package.
    pub(super) fn owns(&mut self, language: Language, name: &str) {
        if !name.is_empty() {
            self.own.push((language, name.to_owned()));
        }
    }

    /// Takes one of several licences that apply together.
    pub(super) fn also_licensed(&mut self, written: &str) {
        let Some(licence) = licence::canonical(written) else {
            return;
        };
        let known = self.licence.as_deref().and_then(licence::canonical);
        self.licence = Some(match known {
            Some(known) => licence::both(&known, &licence),
            None => licence,
        });
    }

    /// Takes a licence, if none was found before.
    pub(super) fn license(&mut self, written: &str) {
        if self.licence.is_none() && licence::canonical(written).is_some() {
            self.licence = Some(written.trim().to_owned());
        }
    }
}

/// Reads a manifest into a [`Meta`].
type Reader = fn(&str, &mut Meta);

/// The reader of a file, by its name.
fn reader(path: &str) -> Option<Reader> {
    let name = file_name(path);
    Some(match name {
        "Cargo.toml" => data::cargo,
        "pyproject.toml" => data::pyproject,
        "package.json" => data::npm,
        "composer.json" => data::composer,
        "vcpkg.json" => data::vcpkg,
        "METADATA" | "PKG-INFO" => lines::python_metadata,
        "setup.cfg" => lines::setup_cfg,
        "setup.py" => lines::setup_py,
        "Gemfile" | "gems.rb" => lines::gemfile,
        "go.mod" => lines::go_mod,
        "build.gradle" | "build.gradle.kts" => lines::gradle,
        "CMakeLists.txt" | "conanfile.txt" => lines::cpp,
        "pom.xml" => xml::pom,
        "packages.config" | "Directory.Build.props" | "Directory.Packages.props" => xml::dotnet,
        GEM_METADATA => lines::gem_metadata,
        _ if name.ends_with(".gemspec") => lines::gemfile,
        _ if name.ends_with(".csproj") || name.ends_with(".nuspec") => xml::dotnet,
        _ if name.starts_with("requirements") && name.ends_with(".txt") => lines::requirements,
        _ => return None,
    })
}

/// The file says something about its repository.
pub fn is_meta(path: &str) -> bool {
    reader(path).is_some() || licence::is_licence_file(file_name(path))
}

/// What the file says.
pub fn read(path: &str, text: &str) -> Meta {
    let mut meta = Meta {
        folder: folder(path),
        name: file_name(path).to_owned(),
        ..Meta::default()
    };
    match reader(path) {
        Some(reader) => reader(text, &mut meta),
        None => meta.licence_text = licence::in_text(text),
    }
    meta
}

/// The folder for which a file speaks: its own. A wheel's description and licences stand in a
/// folder beside the packages.
fn folder(path: &str) -> String {
    let mut folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    for part in path.split('/') {
        if part.ends_with(".dist-info") || part.ends_with(".egg-info") {
            folder = path.split(part).next().unwrap_or("").trim_end_matches('/');
            break;
        }
    }
    folder.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn manifests_speak_for_their_folder() {
        for (path, expected) in [
            ("a/b/Cargo.toml", "a/b"),
            ("LICENSE", ""),
            ("x-1.0.dist-info/METADATA", ""),
            ("x-1.0.dist-info/licenses/LICENSE", ""),
            ("r/src/x.egg-info/PKG-INFO", "r/src"),
        ] {
            assert_eq!(folder(path), expected, "{path}");
            assert!(is_meta(path), "{path}");
        }
        assert!(!is_meta("src/main.rs"));
    }

    /// What each manifest says, one a line.
    #[test]
    fn what_manifests_say() {
        let files = [
            (
                "Cargo.toml",
                "[package]\nname = \"my-crate\"\nlicense = \"MIT OR Apache-2.0\"\nrepository = \"https://h/o/n\"\n[dependencies]\nserde = { version = \"1.0.200\", features = [] }\nold = { package = \"new\", version = \"2\" }\n[target.'cfg(unix)'.dependencies]\nlibc = \"0.2\"\n",
            ),
            (
                "package.json",
                "{\"name\": \"@a/b\", \"license\": \"MIT\", \"repository\": {\"url\": \"git+https://h/o/n.git\"}, \"dependencies\": {\"lodash\": \"^4.17.0\"}, \"peerDependencies\": {\"react\": \">=18\"}}",
            ),
            (
                "pyproject.toml",
                "[project]\nname = \"Big_Thing\"\nlicense = {text = \"BSD-3-Clause\"}\ndependencies = [\"numpy>=1.26\", \"requests[socks] ~= 2.0; python_version > '3'\"]\n[project.urls]\nRepository = \"https://h/o/n\"\n",
            ),
            (
                "METADATA",
                "Metadata-Version: 2.1\nName: x\nLicense: BSD\nClassifier: License :: OSI Approved :: BSD License\nClassifier: License :: OSI Approved :: MIT License\nRequires-Dist: attrs (>=19.2.0)\nRequires-Dist: idna ; extra == 'y'\n\nLicense: GPL\n",
            ),
            (
                "setup.cfg",
                "[metadata]\nname = x\nlicense = MIT\n[options]\ninstall_requires =\n    click>=8\n    rich\n",
            ),
            (
                "setup.py",
                "setup(name='x', license=\"Apache-2.0\", install_requires=['six>=1.1', \"pytz\"])\n",
            ),
            (
                "composer.json",
                "{\"name\": \"v/p\", \"license\": [\"MIT\", \"GPL-2.0-only\"], \"require\": {\"php\": \">=8\", \"psr/log\": \"^3\"}, \"autoload\": {\"psr-4\": {\"V\\\\P\\\\\": \"src/\"}}}",
            ),
            (
                "x.gemspec",
                "Gem::Specification.new do |s|\n  s.name = 'x'\n  s.license = 'MIT'\n  s.add_dependency 'rack', '>= 2.2'\n  s.add_runtime_dependency(\"mail\")\nend\n",
            ),
            ("Gemfile", "gem 'rails', '~> 7.0'\ngem \"pg\"\n"),
            (
                "go.mod",
                "module example.org/m/v2\n\nrequire (\n\tgithub.com/a/b v1.2.3\n\tgolang.org/x/net v0.1.0 // indirect\n)\nrequire github.com/c/d v0.9.0\n",
            ),
            (
                "pom.xml",
                "<project xmlns=\"x\"><groupId>org.a</groupId><artifactId>b</artifactId><licenses><license><name>Apache License, Version 2.0</name></license></licenses><dependencies><dependency><groupId>com.google.guava</groupId><artifactId>guava</artifactId><version>31.1</version></dependency></dependencies></project>",
            ),
            (
                "module/pom.xml",
                concat!(
                    "<project><parent><groupId>org.a</groupId><version>5.1</version></parent>",
                    "<properties><guava.version>31.1</guava.version><twice>${guava.version}</twice>",
                    "</properties><dependencies>",
                    "<dependency><groupId>com.google.guava</groupId><artifactId>guava</artifactId>",
                    "<version>${guava.version}</version></dependency>",
                    "<dependency><groupId>${project.groupId}</groupId><artifactId>c</artifactId>",
                    "<version>${project.version}</version></dependency>",
                    "<dependency><groupId>x.y</groupId><artifactId>twice</artifactId>",
                    "<version>${twice}</version></dependency>",
                    "<dependency><groupId>x.y</groupId><artifactId>elsewhere</artifactId>",
                    "<version>${log4j2.version}</version></dependency>",
                    "</dependencies></project>",
                ),
            ),
            (
                "build.gradle",
                "dependencies {\n  implementation 'io.netty:netty-all:4.1.0'\n  api(\"org.slf4j:slf4j-api:2.0.1\")\n}\n",
            ),
            (
                "a.csproj",
                "<Project><PropertyGroup><RootNamespace>A.B</RootNamespace><PackageLicenseExpression>MIT</PackageLicenseExpression></PropertyGroup><ItemGroup><PackageReference Include=\"Newtonsoft.Json\" Version=\"13.0.1\" /></ItemGroup></Project>",
            ),
            (
                "packages.config",
                "<packages><package id=\"NUnit\" version=\"3.1\" /></packages>",
            ),
            (
                "CMakeLists.txt",
                "find_package(absl REQUIRED)\nfind_package(Boost 1.70 COMPONENTS x)\n",
            ),
            (
                "vcpkg.json",
                "{\"license\": \"MIT\", \"dependencies\": [\"fmt\", {\"name\": \"zlib\", \"version>=\": \"1.2\"}]}",
            ),
            (
                "metadata.gem.yaml",
                concat!(
                    "name: x\nversion: !ruby/object:Gem::Version\n  version: 9.9.0\n",
                    "licenses:\n- MIT\n- Ruby\ndependencies:\n",
                    "- !ruby/object:Gem::Dependency\n  name: rack\n",
                    "  requirement: !ruby/object:Gem::Requirement\n    requirements:\n",
                    "    - - \">=\"\n      - !ruby/object:Gem::Version\n        version: '2.2'\n",
                    "    - - \"<\"\n      - !ruby/object:Gem::Version\n        version: '4'\n",
                    "  type: :runtime\n  prerelease: false\n",
                    "  version_requirements: !ruby/object:Gem::Requirement\n    requirements:\n",
                    "    - - \">=\"\n      - !ruby/object:Gem::Version\n        version: '2.2'\n",
                    "- !ruby/object:Gem::Dependency\n  name: mail\n",
                    "  requirement: &1 !ruby/object:Gem::Requirement\n    none: false\n",
                    "    requirements:\n    - - ! '<'\n      - !ruby/object:Gem::Version\n",
                    "        version: 3.0.0\n    - - \"!=\"\n      - !ruby/object:Gem::Version\n",
                    "        version: 2.9.0\n  version_requirements: *1\n",
                    "- !ruby/object:Gem::Dependency\n  name: old\nfiles: []\n",
                ),
            ),
            (
                "metadata.gem.yaml",
                "name: y\nhomepage: https://y.example\nmetadata:\n  source_code_uri: https://h/o/n\n",
            ),
            (
                "y.gemspec",
                "s.homepage = 'https://y.example'\ns.metadata['source_code_uri'] = 'https://h/o/n'\n",
            ),
            (
                "y.nuspec",
                "<package><metadata><repository type=\"git\" url=\"https://h/o/n\" /></metadata></package>",
            ),
            ("package.json", "{\"name\": \"y\", \"repository\": \"o/n\"}"),
            (
                "requirements-dev.txt",
                "# tools\nnumpy==1.26.4\n-r other.txt\nblack\n",
            ),
        ];
        let mut shown = Vec::new();
        for (path, text) in files {
            let meta = read(path, text);
            shown.push(format!("== {path}"));
            shown.push(format!(
                "licence {:?}, repository {:?}",
                meta.licence, meta.repository
            ));
            for (language, name) in meta.own {
                shown.push(format!("own {language} {name}"));
            }
            for (language, name, version) in meta.declared {
                shown.push(format!("declares {language} {name} {version:?}"));
            }
        }
        insta::assert_snapshot!(shown.join("\n"));
    }

    #[test]
    fn broken_manifests_say_nothing() {
        for path in [
            "Cargo.toml",
            "package.json",
            "pom.xml",
            "a.csproj",
            "composer.json",
            "pyproject.toml",
        ] {
            let meta = read(path, "{ <broken ");
            assert_eq!((meta.licence, meta.declared.len()), (None, 0), "{path}");
        }
    }
}
