//! Images by name, as kustomize replaces them: in `containers` and `initContainers`, wherever those are.

use serde_json::Value;

use crate::api::helm_release::Image;

/// Replaces the images of every container below `value`.
pub fn replace(value: &mut Value, images: &[Image]) {
    if images.is_empty() {
        return;
    }
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| replace(item, images)),
        Value::Object(fields) => {
            for (name, field) in fields {
                if let ("containers" | "initContainers", Value::Array(containers)) =
                    (name.as_str(), &mut *field)
                {
                    for container in containers {
                        if let Some(Value::String(image)) = container.get_mut("image") {
                            *image = replaced(image, images);
                        }
                    }
                }
                replace(field, images);
            }
        }
        _ => {}
    }
}

fn replaced(image: &str, images: &[Image]) -> String {
    images.iter().fold(image.to_owned(), |image, wanted| {
        let (name, tag, digest) = parts(&image);
        if name != wanted.name {
            return image;
        }
        let new = wanted.new_name.as_deref().filter(|name| !name.is_empty()).unwrap_or(name);
        let given = |field: &Option<String>| field.clone().filter(|text| !text.is_empty());
        match (given(&wanted.digest), given(&wanted.new_tag)) {
            (Some(digest), _) => format!("{new}@{digest}"),
            (None, Some(tag)) => format!("{new}:{tag}"),
            (None, None) => format!("{new}{tag}{digest}"),
        }
    })
}

/// Name, `:tag` and `@digest` of an image; the latter two may be empty.
fn parts(image: &str) -> (&str, &str, &str) {
    let (rest, digest) = image.split_at(image.find('@').unwrap_or(image.len()));
    // A colon before a slash belongs to the registry's port.
    let slash = rest.rfind('/').map_or(0, |at| at + 1);
    let tag = rest[slash..].find(':').map_or(rest.len(), |at| slash + at);
    let (name, tag) = rest.split_at(tag);
    (name, tag, digest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn images_are_replaced_by_name() {
        let image =
            |more: Value| -> Vec<Image> { vec![serde_json::from_value(more).expect("an image")] };
        for (before, wanted, after) in [
            ("nginx:1", json!({"name": "nginx", "newTag": "2"}), "nginx:2"),
            ("nginx", json!({"name": "nginx", "newTag": "2"}), "nginx:2"),
            ("nginx:1", json!({"name": "nginx", "newName": "r:5000/n"}), "r:5000/n:1"),
            ("r:5000/n:1", json!({"name": "r:5000/n", "newTag": "2"}), "r:5000/n:2"),
            ("r:5000/n", json!({"name": "r", "newTag": "2"}), "r:5000/n"),
            ("n:1", json!({"name": "n", "newTag": "2", "digest": "sha256:a"}), "n@sha256:a"),
            ("n:1@sha256:b", json!({"name": "n", "newTag": "2"}), "n:2"),
            ("n:1@sha256:b", json!({"name": "n", "newName": "m"}), "m:1@sha256:b"),
            ("nginx-extra:1", json!({"name": "nginx", "newTag": "2"}), "nginx-extra:1"),
        ] {
            assert_eq!(replaced(before, &image(wanted)), after, "{before}");
        }
    }

    #[test]
    fn containers_are_found_wherever_they_are() {
        let images = [Image { name: "a".into(), new_tag: Some("2".into()), ..Image::default() }];
        let mut value = json!({"spec": {"template": {"spec": {
            "initContainers": [{"image": "a"}], "containers": [{"image": "a:1"}, {"name": "none"}],
            "image": "a:1",
        }}}});
        replace(&mut value, &images);
        let expected = json!({"spec": {"template": {"spec": {
            "initContainers": [{"image": "a:2"}], "containers": [{"image": "a:2"}, {"name": "none"}],
            "image": "a:1",
        }}}});
        assert_eq!(value, expected);
    }
}
