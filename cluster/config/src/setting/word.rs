//! Settings that are one word out of a few.

/// Declares an enum as the table of the words that stand for its variants; the first word of a variant is its proper one.
macro_rules! words {
    (
        $(#[$meta:meta])*
        pub enum $name:ident {
            $( $(#[$variant_meta:meta])* $word:literal $(or $other:literal)* => $variant:ident, )*
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $( $(#[$variant_meta])* $variant, )*
        }

        impl $name {
            /// The word that stands for this in the file.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $( Self::$variant => $word, )*
                }
            }
        }

        impl $crate::setting::Setting for $name {
            fn read(found: &$crate::setting::Found<'_>) -> Option<Self> {
                match found.value.as_str() {
                    $( Some($word $(| $other)*) => Some(Self::$variant), )*
                    _ => {
                        found.expected(concat!("one of" $(, " `", $word, "`")*));
                        None
                    }
                }
            }

            fn show(&self) -> serde_json::Value {
                serde_json::Value::from(self.as_str())
            }
        }
    };
}
pub(crate) use words;
