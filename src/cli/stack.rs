//! What the command line says of the stack.

use super::failure::Failure;
use crate::sandbox::docker::Image;
use crate::sandbox::{Backend, StackConfig};

// No doc comment: clap would take it for that of the command.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct StackArgs {
    /// What Postgres, Redis and Kafka run as: auto, process or docker; as target.toml says unless told, and auto if it says
    /// nothing.
    ///
    /// auto takes Docker if a daemon answers and has the images or can download them, else processes, and says which.
    #[arg(long, env = "FIREASSAY_BACKEND", value_name = "BACKEND", value_parser = read_backend)]
    backend: Option<Backend>,
    /// An image for a server that runs in a container, as in `postgres=postgres:17.5`; also FIREASSAY_IMAGE_POSTGRES,
    /// FIREASSAY_IMAGE_REDIS and FIREASSAY_IMAGE_KAFKA.
    #[arg(long, num_args = 1.., value_name = "SERVER=IMAGE", value_parser = read_image)]
    image: Vec<(Server, Image)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Server {
    Postgres,
    Redis,
    Kafka,
}

impl StackArgs {
    /// The command line before the environment.
    pub(super) fn config(&self) -> Result<StackConfig, Failure> {
        let mut config = StackConfig::from_env()
            .map_err(|error| Failure::usage(error.to_string(), "mend or unset that variable"))?;
        config.backend = self.backend.or(config.backend);
        for (server, image) in &self.image {
            let image = Some(image.clone());
            match server {
                Server::Postgres => config.images.postgres = image,
                Server::Redis => config.images.redis = image,
                Server::Kafka => config.images.kafka = image,
            }
        }
        Ok(config)
    }
}

fn read_backend(text: &str) -> Result<Backend, String> {
    text.parse().map_err(|()| {
        let known = Backend::ALL.map(|backend| backend.to_string());
        format!("there is no such backend; write one of {}", known.join(", "))
    })
}

fn read_image(text: &str) -> Result<(Server, Image), String> {
    let (server, image) = text.split_once('=').ok_or("write it as SERVER=IMAGE, as in `redis=redis:7.2.5`")?;
    let server = match server {
        "postgres" => Server::Postgres,
        "redis" => Server::Redis,
        "kafka" => Server::Kafka,
        _ => return Err(format!("there is no server `{server}`; there are postgres, redis and kafka")),
    };
    if image.is_empty() || image.contains(char::is_whitespace) {
        return Err(format!("`{image}` is not the name of an image"));
    }
    Ok((server, Image::named(image)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_and_images_are_read_from_pairs() {
        assert_eq!(read_image("redis=a/b:1"), Ok((Server::Redis, Image::named("a/b:1"))));
        for wrong in ["redis", "mysql=a", "kafka=", "kafka=a b"] {
            assert!(read_image(wrong).is_err(), "{wrong}");
        }
        assert_eq!(read_backend("docker"), Ok(Backend::Docker));
        assert!(read_backend("podman").unwrap_err().contains("auto, process, docker"));
    }
}
