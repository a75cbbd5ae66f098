//! One description of the keys makes the structs, their defaults, the reading of each
//! key and the reference.

/// Declares the configuration. Each key is `SCOPE name: Type = default`, where the scope is
/// `machine` for what can run a program, open a socket or name a file, else `window`.
macro_rules! settings {
    ($($(#[doc = $section_doc:literal])+ $section:ident: $Section:ident {
        $($(#[doc = $doc:literal])+ $scope:ident $key:ident: $Type:ty = $default:expr,)+
    })+) => {
        /// The whole configuration; a section of `truefill.toml` each.
        #[derive(Debug, Clone, PartialEq, Default, serde::Serialize)]
        pub struct Config {
            $($(#[doc = $section_doc])+ pub $section: $Section,)+
        }

        $(
            $(#[doc = $section_doc])+
            #[derive(Debug, Clone, PartialEq, serde::Serialize)]
            pub struct $Section {
                $($(#[doc = $doc])+ pub $key: $Type,)+
            }

            impl Default for $Section {
                fn default() -> Self {
                    Self { $($key: $default,)+ }
                }
            }
        )+

        impl Config {
            /// Sets one key; `None` where there is none of that name.
            fn set(
                &mut self,
                section: &str,
                key: &str,
                value: serde_json::Value,
            ) -> Option<Result<(), serde_json::Error>> {
                match (section, key) {
                    $($((stringify!($section), stringify!($key)) => Some(
                        serde_json::from_value(value)
                            .map(|value: $Type| self.$section.$key = value),
                    ),)+)+
                    _ => None,
                }
            }
        }

        /// Every section and key, in the order of the reference.
        pub const SECTIONS: &[$crate::config::reference::Section] = &[
            $($crate::config::reference::Section {
                name: stringify!($section),
                doc: &[$($section_doc),+],
                keys: &[$($crate::config::reference::Key {
                    name: stringify!($key),
                    doc: &[$($doc),+],
                    scope: stringify!($scope),
                },)+],
            },)+
        ];
    };
}

pub(super) use settings;
