//! Sprig: defaults, and questions about types.

use super::equal::deep_equal;
use super::{Function, Kind, bytes};
use crate::template::Value;

use Kind::{Any, Bool, String as S};

pub(super) const TABLE: &[Function] = &[
    Function::variadic("default", &[Any], Any, |_, a| {
        let given = a.get(1).filter(|v| v.is_true());
        Ok(given.unwrap_or(&a[0]).clone())
    }),
    Function::new("empty", &[Any], |_, a| Ok((!a[0].is_true()).into())),
    Function::variadic("coalesce", &[], Any, |_, a| {
        Ok(a.iter().find(|v| v.is_true()).cloned().unwrap_or(Value::Nil))
    }),
    Function::variadic("all", &[], Any, |_, a| Ok(a.iter().all(Value::is_true).into())),
    Function::variadic("any", &[], Any, |_, a| Ok(a.iter().any(Value::is_true).into())),
    Function::new("ternary", &[Any, Any, Bool], |_, a| Ok(a[usize::from(!a[2].is_true())].clone())),
    Function::new("typeOf", &[Any], |_, a| Ok(a[0].type_name().into())),
    Function::new("typeIs", &[S, Any], |_, a| {
        Ok((bytes(&a[0]) == a[1].type_name().as_bytes()).into())
    }),
    Function::new("typeIsLike", &[S, Any], |_, a| {
        let (wanted, actual) = (bytes(&a[0]), a[1].type_name().as_bytes());
        Ok((wanted == actual || Some(wanted) == actual.strip_prefix(b"*")).into())
    }),
    Function::new("kindOf", &[Any], |_, a| Ok(a[0].kind().into())),
    Function::new("kindIs", &[S, Any], |_, a| Ok((bytes(&a[0]) == a[1].kind().as_bytes()).into())),
    Function::new("deepEqual", &[Any, Any], |c, a| Ok(deep_equal(c.run, &a[0], &a[1]).into())),
];
