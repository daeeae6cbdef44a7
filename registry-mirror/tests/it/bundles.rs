//! Bundles, from a real registry and back into one.
//!
//! - [`carried`]: export, open, import; whole, compressed, differential
//! - [`hostile`]: bundles that were damaged or made up
//! - [`served`]: a bundle as a registry, for genuine helm and crane

use std::{path::Path, sync::Arc};

use pinnace_registry::{
    Client, Reference,
    bundle::{
        Attachments, Bundle, BundleError, Compression, Export, Exported, Item, PublicKey,
        SigningKey, Silent, Trust, export,
    },
};

use crate::support::{genuine::Registry, image::Image, reference};

mod carried;
mod hostile;
mod served;

/// A registry with charts and an image of two platforms, to which an SBOM is attached.
struct Source {
    registry: Registry,
    client: Client,
    image: Image,
}

impl Source {
    async fn start() -> Self {
        let registry = Registry::start();
        registry.push_chart("app", "1.0.0", "first");
        registry.push_chart("app", "1.1.0+build.5", "second");
        let client = registry.client();
        let app = reference(format!("oci://{}/images/app:1.0.0", registry.host));
        let image = Image::of_two_platforms(1).push(&client, &app).await;
        Self { registry, client, image }
    }

    fn reference(&self, rest: &str) -> Reference {
        reference(format!("oci://{}/{rest}", self.registry.host))
    }

    fn item(&self, rest: &str) -> Item {
        Item::new(self.client.clone(), self.reference(rest))
    }

    fn items(&self) -> Vec<Item> {
        ["charts/app:1.0.0", "charts/app:1.1.0+build.5", "images/app:1.0.0"]
            .map(|name| self.item(name))
            .to_vec()
    }
}

fn key() -> SigningKey {
    SigningKey::from_pem("key", SigningKey::generate().unwrap().expose()).unwrap()
}

fn trusted(key: &SigningKey) -> Trust {
    let pem = key.public().to_pem();
    Trust::Keys(vec![PublicKey::from_pem("public key", &pem).unwrap()])
}

/// Signed, with everything, uncompressed.
fn signed<'a>(to: &'a Path, key: &'a SigningKey) -> Export<'a> {
    let attachments = Attachments::Included;
    Export { to, key: Some(key), base: None, compression: Compression::None, attachments }
}

async fn written(items: &[Item], options: &Export<'_>) -> Exported {
    export(items, options, &Silent).await.unwrap()
}

fn open(path: &Path, trust: &Trust) -> Result<Arc<Bundle>, BundleError> {
    Bundle::open(path, &[], trust).map(Arc::new)
}
