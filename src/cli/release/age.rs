//! How long ago, as kubectl says it: pure.

/// `45s`, `5m12s`, `3h4m`, `12h`, `3d4h`, `40d` (`k8s.io/apimachinery/pkg/util/duration`).
pub fn human(seconds: i64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86400);
    let two = |big: i64, unit: &str, small: i64, rest: &str| match small {
        0 => format!("{big}{unit}"),
        small => format!("{big}{unit}{small}{rest}"),
    };
    match seconds {
        ..0 => "0s".to_owned(),
        0..120 => format!("{seconds}s"),
        120..600 => two(minutes, "m", seconds % 60, "s"),
        600..10_800 => format!("{minutes}m"),
        10_800..28_800 => two(hours, "h", minutes % 60, "m"),
        28_800..172_800 => format!("{hours}h"),
        172_800..691_200 => two(days, "d", hours % 24, "h"),
        691_200..63_072_000 => format!("{days}d"),
        _ => two(days / 365, "y", days % 365, "d"),
    }
}

#[cfg(test)]
mod tests {
    use super::human;

    #[test]
    fn as_kubectl_says_it() {
        for (seconds, expected) in [
            (-5, "0s"),
            (0, "0s"),
            (119, "119s"),
            (120, "2m"),
            (312, "5m12s"),
            (3600, "60m"),
            (11_040, "3h4m"),
            (43_200, "12h"),
            (273_600, "3d4h"),
            (3_456_000, "40d"),
            (63_072_000, "2y"),
        ] {
            assert_eq!(human(seconds), expected);
        }
    }
}
