//! The mistakes that a service can be told to make, by name.

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

/// A mistake that can be switched on.
pub trait Switch: Copy + PartialEq + fmt::Debug + 'static {
    /// Every one.
    const ALL: &[Self];

    /// As it is written in `REFERENCE_DEFECTS`.
    fn name(self) -> &'static str;
}

/// Declares `Defect` and `Defects`, so that no name can be forgotten in a second list.
#[macro_export]
macro_rules! defects {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// A mistake, found at the `if` that names it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Defect { $($(#[$doc])* $variant,)* }

        impl $crate::defects::Switch for Defect {
            const ALL: &[Self] = &[$(Self::$variant,)*];

            fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }

        /// The defects of this process: none, unless told.
        pub(crate) type Defects = $crate::defects::Defects<Defect>;
    };
}

/// Those of a service's mistakes that a process makes: none, unless told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Defects<D>(Vec<D>);

impl<D> Default for Defects<D> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<D: Switch> Defects<D> {
    /// Whether this mistake is to be made.
    pub fn has(&self, defect: D) -> bool {
        self.0.contains(&defect)
    }
}

impl<D: Switch> fmt::Display for Defects<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&names(&self.0, ","))
    }
}

/// A name that no defect has.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("no defect is called {name:?}; there are: {}", names(D::ALL, ", "))]
pub struct UnknownDefect<D: Switch> {
    name: String,
    of: PhantomData<D>,
}

impl<D: Switch> fmt::Debug for UnknownDefect<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn names<D: Switch>(defects: &[D], between: &str) -> String {
    defects.iter().map(|defect| defect.name()).collect::<Vec<_>>().join(between)
}

impl<D: Switch> FromStr for Defects<D> {
    type Err = UnknownDefect<D>;

    fn from_str(names: &str) -> Result<Self, Self::Err> {
        let names = names.split(',').map(str::trim).filter(|name| !name.is_empty());
        let known = names.map(|name| {
            let found = D::ALL.iter().find(|defect| defect.name() == name);
            found.copied().ok_or_else(|| UnknownDefect { name: name.to_owned(), of: PhantomData })
        });
        known.collect::<Result<_, _>>().map(Self)
    }
}

/// The names that a `defects.toml` does not describe, or describes though there is no such defect; for tests.
#[must_use]
pub fn undescribed<D: Switch>(toml: &str) -> Vec<String> {
    let described: Vec<&str> =
        toml.lines().filter_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"')).collect();
    let missing = D::ALL.iter().map(|defect| defect.name()).filter(|name| !described.contains(name));
    let unknown = described.iter().copied().filter(|name| !D::ALL.iter().any(|defect| defect.name() == *name));
    missing.chain(unknown).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::undescribed;

    defects! {
        /// One.
        DualWrite = "dual-write",
        /// Another.
        AutoCommit = "auto-commit",
        /// A third.
        NoVersionCheck = "no-version-check",
    }

    #[test]
    fn names_are_read() {
        let defects: Defects = "dual-write, auto-commit,".parse().expect("both exist");
        assert!(defects.has(Defect::DualWrite) && defects.has(Defect::AutoCommit));
        assert!(!defects.has(Defect::NoVersionCheck));
        assert_eq!(defects.to_string(), "dual-write,auto-commit");
    }

    #[test]
    fn none_is_the_default() {
        assert_eq!("".parse(), Ok(Defects::default()));
    }

    #[test]
    fn an_unknown_name_lists_what_there_is() {
        let error = "dual-right".parse::<Defects>().expect_err("no such defect").to_string();
        assert!(error.contains("\"dual-right\"") && error.contains("dual-write"), "{error}");
    }

    #[test]
    fn what_is_not_described_is_found_and_what_does_not_exist() {
        let toml = "name = \"dual-write\"\nname = \"auto-commit\"\nname = \"other\"\n";
        assert_eq!(undescribed::<Defect>(toml), ["no-version-check", "other"]);
    }
}
