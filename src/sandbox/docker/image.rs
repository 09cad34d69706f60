//! Names of images.

use std::fmt;

/// The name of an image, with tag or digest.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Image(String);

impl Image {
    /// As it is written for `docker run`.
    #[must_use]
    pub fn named(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// Name and tag, which are written with a colon between them; `latest` is what Docker takes without one.
    pub(super) fn name_and_tag(&self) -> (&str, &str) {
        let after_slash = self.0.rfind('/').map_or(0, |at| at + 1);
        match self.0[after_slash..].rfind(':') {
            Some(colon) => (&self.0[..after_slash + colon], &self.0[after_slash + colon + 1..]),
            None => (&self.0, "latest"),
        }
    }
}

impl fmt::Display for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_follows_the_last_colon_after_the_last_slash() {
        let parts = |name: &str| {
            let image = Image::named(name);
            let (name, tag) = image.name_and_tag();
            format!("{name} {tag}")
        };
        assert_eq!(parts("redis"), "redis latest");
        assert_eq!(parts("apache/kafka:4.1.0"), "apache/kafka 4.1.0");
        assert_eq!(parts("somewhere:5000/redis"), "somewhere:5000/redis latest");
        assert_eq!(parts("redis@sha256:0123"), "redis@sha256 0123", "joined again with a colon it is the same");
    }
}
