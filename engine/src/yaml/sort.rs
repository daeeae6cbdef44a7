//! go-yaml's order of keys: letters after everything else, runs of digits by their number.

/// A stable merge sort. The order is go-yaml's and not proven total, which the sort of the
/// standard library is allowed to answer with a panic.
pub(super) fn sorted<T>(items: Vec<(&str, T)>) -> Vec<(&str, T)> {
    sorted_by(items, |a, b| less(a, b, false))
}

/// As v3 sorts: a letter after a digit comes before what is no letter.
pub(super) fn sorted_as_v3<T>(items: Vec<(&str, T)>) -> Vec<(&str, T)> {
    sorted_by(items, |a, b| less(a, b, true))
}

fn sorted_by<T>(
    mut items: Vec<(&str, T)>,
    less: impl Fn(&str, &str) -> bool + Copy,
) -> Vec<(&str, T)> {
    if items.len() < 2 {
        return items;
    }
    let right = sorted_by(items.split_off(items.len() / 2), less);
    let mut left = sorted_by(items, less).into_iter().peekable();
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

fn less(a: &str, b: &str, v3: bool) -> bool {
    let common = common_prefix(a, b);
    let (before, a, b) = (&a[..common], &a[common..], &b[common..]);
    let (Some(first_a), Some(first_b)) = (a.chars().next(), b.chars().next()) else {
        return a.len() < b.len();
    };
    match (first_a.is_alphabetic(), first_b.is_alphabetic()) {
        (true, true) => return first_a < first_b,
        (false, false) => {}
        (a_is_letter, b_is_letter) => {
            let after_digit = before.chars().next_back().is_some_and(char::is_numeric);
            return if v3 && after_digit { a_is_letter } else { b_is_letter };
        }
    }
    // A zero inside of a longer number counts as a digit of that number.
    let inside = (first_a == '0' || first_b == '0')
        && before.bytes().rev().take_while(u8::is_ascii_digit).any(|digit| digit != b'0');
    let start = i64::from(inside);
    let (a_end, a_number) = number(a, start);
    let (b_end, b_number) = number(b, start);
    if a_number != b_number {
        return a_number < b_number;
    }
    if a_end != b_end {
        return a_end < b_end;
    }
    first_a < first_b
}

/// In bytes, up to the start of the first character that differs.
fn common_prefix(a: &str, b: &str) -> usize {
    let same = a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
    a.floor_char_boundary(same)
}

/// How many digits `text` begins with, and their number in Go's wrapping arithmetic, so that
/// numbers too long for 64 bits end where they do in Go.
fn number(text: &str, start: i64) -> (usize, i64) {
    let digits = text.bytes().take_while(u8::is_ascii_digit);
    digits.fold((0, start), |(end, n), digit| {
        (end + 1, n.wrapping_mul(10).wrapping_add(i64::from(digit - b'0')))
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
