//! go-yaml's order of keys: letters after everything else, runs of digits by their number.

/// A stable merge sort. The order is go-yaml's and not proven total, which the sort of the
/// standard library is allowed to answer with a panic.
pub(super) fn sorted<T>(mut items: Vec<(&str, T)>) -> Vec<(&str, T)> {
    if items.len() < 2 {
        return items;
    }
    let right = sorted(items.split_off(items.len() / 2));
    let mut left = sorted(items).into_iter().peekable();
    let mut right = right.into_iter().peekable();
    let mut merged = Vec::with_capacity(left.len() + right.len());
    while let (Some((a, _)), Some((b, _))) = (left.peek(), right.peek()) {
        let side = if less(b, a) { &mut right } else { &mut left };
        merged.extend(side.next());
    }
    merged.extend(left);
    merged.extend(right);
    merged
}

fn less(a: &str, b: &str) -> bool {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let Some(i) = a.iter().zip(&b).position(|(x, y)| x != y) else {
        return a.len() < b.len();
    };
    match (a[i].is_alphabetic(), b[i].is_alphabetic()) {
        (true, true) => return a[i] < b[i],
        (false, false) => {}
        (_, b_is_letter) => return b_is_letter,
    }
    // A zero inside of a longer number counts as a digit of that number.
    let inside = (a[i] == '0' || b[i] == '0')
        && a[..i].iter().rev().take_while(|c| c.is_ascii_digit()).any(|c| *c != '0');
    let start = i64::from(inside);
    let (a_end, a_number) = number(&a, i, start);
    let (b_end, b_number) = number(&b, i, start);
    if a_number != b_number {
        return a_number < b_number;
    }
    if a_end != b_end {
        return a_end < b_end;
    }
    a[i] < b[i]
}

/// Go's wrapping arithmetic, so that numbers too long for 64 bits end where they do in Go.
fn number(text: &[char], from: usize, start: i64) -> (usize, i64) {
    let digits = text[from..].iter().map_while(|c| c.to_digit(10));
    digits.fold((from, start), |(end, n), digit| {
        (end + 1, n.wrapping_mul(10).wrapping_add(i64::from(digit)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn natural_order() {
        let keys = ["b", "a10", "a2", "a", "A", "_x", "1", "10", "9", "a-b", "ab", "a01", "é"];
        let order: Vec<&str> =
            sorted(keys.map(|k| (k, ())).to_vec()).into_iter().map(|(k, ())| k).collect();
        assert_eq!(
            order,
            ["_x", "1", "9", "10", "A", "a", "a-b", "a01", "a2", "a10", "ab", "b", "é"]
        );
    }
}
