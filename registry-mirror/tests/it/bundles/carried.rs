use pinnace_registry::{
    Cache,
    bundle::{Attachments, Bundle, Compression, Export, Silent, Trust, place},
};

use super::{Source, key, open, signed, trusted, written};
use crate::support::{
    genuine::Registry,
    image::{Image, SBOM},
};

#[tokio::test]
async fn from_registry_to_registry() {
    let source = Source::start().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("release.bundle");
    let key = key();
    for compression in [Compression::None, Compression::Zstd] {
        let options = Export { compression, ..signed(&path, &key) };
        let exported = written(&source.items(), &options).await;
        // Two charts, an image, its SBOM; the shared layer counts once.
        assert_eq!((exported.roots, exported.manifests), (4, 6));
        let bundle = open(&path, &trusted(&key)).unwrap();
        assert_eq!(bundle.digest(), &exported.digest);
        assert_eq!(bundle.signed_by(), Some(key.public().id().as_str()));
        let verified = bundle.verify(&|_| ()).unwrap();
        assert_eq!((verified.blobs, verified.not_here), (exported.blobs, 0));

        let target = Registry::start();
        let to = format!("{}/from-afar", target.host);
        let client = target.client();
        let imported = bundle.import(&client, &to, &Silent).await.unwrap();
        assert_eq!((imported.roots, imported.unchanged), (4, 0));
        assert_eq!(imported.sent, exported.blobs);
        for item in source.items() {
            let there = place(&to, &item.reference).unwrap();
            let digest = source.client.resolve(&item.reference).await.unwrap();
            assert_eq!(client.resolve(&there).await.unwrap(), digest);
        }
        let chart = place(&to, &source.reference("charts/app:1.1.0+build.5")).unwrap();
        let pulled = client.pull_chart(&chart, None).await.unwrap();
        assert_eq!(pulled.config["description"], "second");
        let repository = place(&to, &source.reference("images/app")).unwrap();
        let subject = &source.image.index.digest;
        let sboms = client.referrers(&repository, subject, Some(SBOM)).await.unwrap();
        assert_eq!(sboms.manifests[0].digest, source.image.sbom.digest);

        let again = bundle.import(&client, &to, &Silent).await.unwrap();
        assert_eq!((again.unchanged, again.sent), (4, 0));
    }
}

#[tokio::test]
async fn the_same_content_makes_the_same_file() {
    let source = Source::start().await;
    let folder = tempfile::tempdir().unwrap();
    let key = key();
    let mut files = Vec::new();
    for (name, mut items) in [("a", source.items()), ("b", source.items())] {
        if name == "b" {
            items.reverse();
        }
        let path = folder.path().join(name);
        written(&items, &signed(&path, &key)).await;
        files.push(std::fs::read(path).unwrap());
    }
    assert!(files[0] == files[1]);
    let names = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(names, 2, "something was left beside the bundles");
}

#[tokio::test]
async fn without_what_is_attached() {
    let source = Source::start().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bundle");
    let key = key();
    let options = Export { attachments: Attachments::LeftOut, ..signed(&path, &key) };
    assert_eq!(written(&source.items(), &options).await.roots, 3);
}

#[tokio::test]
async fn only_what_is_new() {
    let source = Source::start().await;
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (folder.path().join("first"), folder.path().join("second"));
    let key = key();
    let trust = trusted(&key);
    let all = written(&source.items(), &signed(&first, &key)).await;
    let base = open(&first, &trust).unwrap();

    let next = source.reference("images/app:2.0.0");
    let image = Image::of_two_platforms(2).push(&source.client, &next).await;
    let mut items = source.items();
    items.push(source.item("images/app:2.0.0"));
    let options = Export { base: Some(&base), ..signed(&second, &key) };
    let more = written(&items, &options).await;
    // Two configs, a layer of both platforms and an SBOM; the rest is known.
    assert_eq!((more.blobs, more.left_out), (4, all.blobs));
    assert!(more.bytes < image.shared().0.size, "{} bytes", more.bytes);

    // By itself it goes only where the rest is already.
    let alone = open(&second, &trust).unwrap();
    assert_eq!(alone.verify(&|_| ()).unwrap().not_here, all.blobs);
    assert_eq!(alone.base(), Some(base.digest()));
    let empty = Registry::start();
    let error = alone.import(&empty.client(), &empty.host, &Silent).await.unwrap_err();
    assert_eq!(error.reason(), "InBase", "{error}");
    assert!(error.to_string().contains("--base"), "{error}");
    base.import(&empty.client(), &empty.host, &Silent).await.unwrap();
    let imported = alone.import(&empty.client(), &empty.host, &Silent).await.unwrap();
    assert_eq!((imported.sent, imported.unchanged), (4, 4));

    // With its base it is whole.
    let bases = [first.clone()];
    let both = std::sync::Arc::new(Bundle::open(&second, &bases, &trust).unwrap());
    assert_eq!(both.verify(&|_| ()).unwrap().not_here, 0);
    let target = Registry::start();
    both.import(&target.client(), &target.host, &Silent).await.unwrap();
    let there = place(&target.host, &next).unwrap();
    let digest = target.client().resolve(&there).await.unwrap();
    assert_eq!(digest, image.index.digest.as_str());

    let wrong = Bundle::open(&first, &[second], &trust).unwrap_err();
    assert_eq!(wrong.reason(), "WrongBase", "{wrong}");
}

#[tokio::test]
async fn charts_for_the_agents_cache() {
    let source = Source::start().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bundle");
    written(&source.items(), &Export { key: None, ..signed(&path, &key()) }).await;
    let bundle = open(&path, &Trust::Unsigned).unwrap();
    let cache = Cache::new(folder.path().join("cache"), 1 << 20).unwrap();
    assert_eq!(bundle.import_charts(&cache, &Silent).await.unwrap().len(), 2);
    let pulled = source.client.pull_chart(&source.reference("charts/app:1.0.0"), None).await;
    let pulled = pulled.unwrap();
    assert_eq!(cache.get(&pulled.digest).await.unwrap(), Some(pulled));
}
