//! Every format over the invented run, as snapshots.

mod common;

use common::world;
use uncork_reports::{Format, Options};

#[test]
fn every_format() {
    let world = world();
    for format in Format::ALL {
        let mut text = world.render(format);
        if format == Format::Sarif {
            let log: serde_json::Value = serde_json::from_str(&text).expect("well-formed JSON");
            text = serde_json::to_string_pretty(&log).expect("a value can be written");
        }
        // Figures change whenever they are measured anew.
        for evidence in uncork_lints::evidence::ALL {
            text = text.replace(&evidence.shown(), "…").replace(evidence.line, "…");
        }
        insta::assert_snapshot!(format.name(), text);
    }
}

#[test]
fn human_at_sixty_columns() {
    let mut world = world();
    world.options = Options { width: Some(60), ..Options::default() };
    let text = world.render(Format::Human);
    insta::assert_snapshot!("human_60", text);
    for line in text.lines() {
        assert!(unicode_width::UnicodeWidthStr::width(line) <= 60, "too wide: {line}");
    }
}

#[test]
fn colour_only_if_asked_for() {
    let mut world = world();
    assert!(!world.render(Format::Human).contains('\x1b'));
    assert!(!world.render(Format::Short).contains('\x1b'));
    world.options.colour = true;
    assert!(world.render(Format::Human).contains("\x1b["));
    assert!(world.render(Format::Short).contains("\x1b["));
    for format in Format::ALL.into_iter().skip(2) {
        assert!(!world.render(format).contains('\x1b'), "{format} has no colour");
    }
}

#[test]
fn statistics_take_the_place_of_findings() {
    let mut world = world();
    world.options.statistics = true;
    insta::assert_snapshot!("statistics", world.render(Format::Human));
    assert_eq!(world.render(Format::Human), world.render(Format::Short));
}

#[test]
fn nothing_found() {
    let mut world = world();
    world.findings.clear();
    world.notices.clear();
    world.fixes.clear();
    world.refusals.clear();
    world.result = None;
    for format in Format::ALL {
        if format != Format::Sarif {
            insta::assert_snapshot!(format!("nothing_{format}"), world.render(format));
        }
    }
}
