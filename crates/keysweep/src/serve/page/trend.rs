//! The number of stale keys over time, as a line.

use keysweep_api::TrendPoint;

use super::words::{counted, number};

/// Width and height of the drawing; it is stretched to the space there is.
const SIZE: (f64, f64) = (600.0, 100.0);

/// A line over days.
pub(super) struct Trend<'a> {
    /// The points of the line, for SVG.
    pub(super) line: String,
    /// The same with the corners beneath it.
    pub(super) area: String,
    /// The highest value of the scale, and its half.
    pub(super) scale: [String; 3],
    pub(super) first: String,
    pub(super) last: String,
    /// What the line shows, in words.
    pub(super) summary: String,
    pub(super) points: &'a [TrendPoint],
}

/// The line; `None` with fewer than two days, which make no line.
pub(super) fn trend(points: &[TrendPoint]) -> Option<Trend<'_>> {
    let (first, last) = (points.first()?, points.last()?);
    let days = |point: &TrendPoint| f64::from(first.day.until(point.day).map_or(0, |span| span.get_days()));
    let width = days(last);
    if width <= 0.0 {
        return None;
    }
    let most = points.iter().map(|point| point.stale).max().unwrap_or_default();
    let least = points.iter().map(|point| point.stale).min().unwrap_or_default();
    let top = round_up(most);
    let place = |point: &TrendPoint| {
        let share = u32::try_from(point.stale).unwrap_or(u32::MAX);
        let (x, y) =
            (days(point) / width, f64::from(share) / f64::from(u32::try_from(top).unwrap_or(u32::MAX)));
        format!("{:.1},{:.1}", x * SIZE.0, (1.0 - y) * SIZE.1)
    };
    let line = points.iter().map(place).collect::<Vec<_>>().join(" ");
    Some(Trend {
        area: format!("0,{} {line} {},{}", SIZE.1, SIZE.0, SIZE.1),
        line,
        scale: [number(top), number(top / 2), number(0)],
        first: first.day.to_string(),
        last: last.day.to_string(),
        summary: format!(
            "{} on {}, {} on {}; highest {}, lowest {}.",
            counted(first.stale, "stale key", "stale keys"),
            first.day,
            number(last.stale),
            last.day,
            number(most),
            number(least)
        ),
        points,
    })
}

/// The next even number of two digits and zeros.
fn round_up(most: u64) -> u64 {
    let mut unit = 2;
    while most > unit * 50 {
        unit *= 10;
    }
    most.div_ceil(unit).max(1) * unit
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mk_point(day: &str, stale: u64) -> TrendPoint {
        TrendPoint { day: day.parse().unwrap(), stale }
    }

    #[test]
    fn the_line_runs_from_corner_to_corner() {
        let points = [mk_point("2026-11-20", 0), mk_point("2026-11-21", 50), mk_point("2026-11-24", 100)];
        let trend = trend(&points).unwrap();
        assert_eq!(trend.line, "0.0,100.0 150.0,50.0 600.0,0.0");
        assert_eq!(trend.area, "0,100 0.0,100.0 150.0,50.0 600.0,0.0 600,100");
        assert_eq!(trend.scale, ["100", "50", "0"].map(ToOwned::to_owned));
        assert_eq!(trend.summary, "0 stale keys on 2026-11-20, 100 on 2026-11-24; highest 100, lowest 0.");
    }

    #[test]
    fn one_day_makes_no_line_and_no_keys_divide_nothing() {
        assert!(trend(&[]).is_none());
        assert!(trend(&[mk_point("2026-11-20", 7)]).is_none());
        let none = [mk_point("2026-11-20", 0), mk_point("2026-11-21", 0)];
        assert_eq!(trend(&none).unwrap().line, "0.0,100.0 600.0,100.0");
    }

    #[test]
    fn a_month_is_as_many_days_as_it_has() {
        let points = [mk_point("2026-10-01", 4), mk_point("2026-10-31", 4), mk_point("2026-11-30", 4)];
        assert_eq!(trend(&points).unwrap().line, "0.0,0.0 300.0,0.0 600.0,0.0");
    }

    #[test]
    fn the_scale_ends_at_a_round_number() {
        assert_eq!([0, 1, 99, 101, 4_321, 5_000].map(round_up), [2, 2, 100, 120, 4_400, 5_000]);
    }
}
