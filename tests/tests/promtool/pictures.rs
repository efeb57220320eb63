//! The pictures of the dashboards in docs/pictures.

use super::files::{DASHBOARDS, dashboard, dashboard_text, picture};

/// What to do about a picture that is not as it should be.
const AGAIN: &str =
    "draw it again: python3 deploy/grafana/pictures/draw.py --demo target/debug/keysweep, and look at it";

/// The largest that a page of documentation should have to load, in bytes.
const LARGEST: usize = 200_000;

#[test]
fn every_picture_is_of_its_dashboard_as_it_is_now() {
    for name in DASHBOARDS {
        let sum = crc32fast::hash(dashboard_text(name).as_bytes());
        let drawn_from = format!("<metadata>dashboard crc32 {sum:08x}</metadata>");
        assert!(picture(name).contains(&drawn_from), "{name} was changed since: {AGAIN}");
    }
}

#[test]
fn every_panel_is_in_the_picture_of_its_dashboard_and_has_data() {
    for name in DASHBOARDS {
        let (dashboard, picture) = (dashboard(name), picture(name));
        let panels = dashboard["panels"].as_array().unwrap();
        assert!(!panels.is_empty(), "{name}");
        for panel in panels {
            let title = panel["title"].as_str().unwrap();
            assert!(picture.contains(&format!(">{title}</text>")), "{name} without {title}: {AGAIN}");
        }
        assert!(!picture.contains(">No data</text>"), "{name} has a panel without data: {AGAIN}");
    }
}

#[test]
fn pictures_are_small_enough_for_a_page() {
    for name in DASHBOARDS {
        let size = picture(name).len();
        assert!(size < LARGEST, "{name}: {size} bytes");
    }
}
