//! Whatever a message, label, path or line of source holds, each format stays well-formed and says it unharmed.

mod common;

use common::{World, finding, world};
use proptest::prelude::*;
use uncork_lints::finding::{Hop, Related};
use uncork_lints::source::{FileId, Location, SourceFile, Sources, Span};
use uncork_reports::{Format, Notice, NoticeLevel, Options};

/// Text from pieces that break formats, and from anything.
fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("\"".to_owned()),
        Just("'".to_owned()),
        Just("\n".to_owned()),
        Just("\r\n".to_owned()),
        Just("\r".to_owned()),
        Just("\t".to_owned()),
        Just("]]>".to_owned()),
        Just("</script>".to_owned()),
        Just("</pre><b>".to_owned()),
        Just("<!--".to_owned()),
        Just("&amp;".to_owned()),
        Just("::error::".to_owned()),
        Just("%0A".to_owned()),
        Just("`".to_owned()),
        Just("```".to_owned()),
        Just("[a](1)".to_owned()),
        Just("![x](y)".to_owned()),
        Just("| a |".to_owned()),
        Just("@someone #1 :tada: https://example.org".to_owned()),
        Just("\0\x1b[31m\x7f\u{85}".to_owned()),
        Just("\u{202e}\u{2066}\u{2028}\u{feff}\u{fffe}\u{ffff}".to_owned()),
        Just("漢字 🦀 e\u{301} \u{200b}".to_owned()),
        "[ -~]{0,12}",
        any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

prop_compose! {
    /// A run of one finding over two files, every text of it arbitrary.
    fn run()(
        message in text(), label in text(), help in text(), path in text(), source in text(), other in text(),
        a in 0u32..40, len in 0u32..30, b in 0u32..40, width in 40usize..120, notice in text(),
    ) -> World {
        let mut sources = Sources::default();
        let first = sources.add(SourceFile::new(format!("src/{path}.rs").into(), source.as_str().into(), false));
        let second = sources.add(SourceFile::new("src/other.rs".into(), other.as_str().into(), false));
        let at = clip(&sources, first, a, len);
        let mut f = finding("lock-across-io", at, &message);
        f.label.clone_from(&label);
        f.help = help;
        f.key.clone_from(&path);
        f.related = vec![
            Related { at: clip(&sources, second, b, 3), label: label.clone() },
            Related { at: clip(&sources, first, b, len), label: message.clone() },
        ];
        f.chain = vec![Hop { at: clip(&sources, second, a, 1), label: message.clone() }];
        f.facts = vec![(label.clone(), message.clone())];
        World {
            findings: vec![f],
            sources,
            notices: vec![Notice { level: NoticeLevel::Error, path: Some(path.into()), line: Some(1), message: notice }],
            fixes: Vec::new(),
            options: Options { width: Some(width), ..Options::default() },
            ..world()
        }
    }
}

/// A span within the file, on character boundaries.
fn clip(sources: &Sources, file: FileId, lo: u32, len: u32) -> Location {
    let text = &sources.get(file).text;
    let floor = |at: u32| {
        let mut at = (at as usize).min(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at as u32
    };
    let lo = floor(lo);
    Location { file, span: Span::new(lo, floor(lo + len).max(lo)) }
}

/// What XML can hold of the text.
fn xml_text(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' | '\r' | '\t' => c,
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => '\u{fffd}',
            c => c,
        })
        .collect()
}

/// The text a reader of the Markdown sees, white space aside.
fn markdown_text(markdown: &str) -> String {
    use pulldown_cmark::{Event, Options, Parser};
    let mut out = String::new();
    for event in Parser::new_ext(markdown, Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH) {
        match event {
            Event::Text(t) | Event::Code(t) => out.push_str(&t),
            Event::SoftBreak | Event::HardBreak => out.push(' '),
            _ => {}
        }
    }
    squeeze(&out)
}

fn squeeze(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).collect()
}

/// Whether a terminal would act on the character or turn the text's direction.
fn commands(c: char) -> bool {
    (c.is_control() && c != '\n') || turns(c)
}

fn turns(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn json_holds_the_text(world in run()) {
        let document: serde_json::Value = serde_json::from_str(&world.render(Format::Json)).unwrap();
        let f = &document["findings"][0];
        prop_assert_eq!(f["message"].as_str(), Some(world.findings[0].message.as_str()));
        prop_assert_eq!(f["label"].as_str(), Some(world.findings[0].label.as_str()));
        let lines = world.render(Format::Jsonl);
        prop_assert_eq!(lines.lines().count(), 1);
        prop_assert_eq!(&serde_json::from_str::<serde_json::Value>(&lines).unwrap(), f);
        let issues: serde_json::Value = serde_json::from_str(&world.render(Format::Gitlab)).unwrap();
        prop_assert_eq!(issues[0]["description"].as_str(), Some(world.findings[0].message.as_str()));
    }

    #[test]
    fn sarif_holds_the_text(world in run()) {
        let log: serde_json::Value = serde_json::from_str(&world.render(Format::Sarif)).unwrap();
        let result = &log["runs"][0]["results"][0];
        let text = result["message"]["text"].as_str().unwrap();
        let own = &world.findings[0].message;
        let escaped = own.replace('\\', "\\\\").replace('[', "\\[").replace(']', "\\]");
        prop_assert!(text.starts_with(own.as_str()) || text.starts_with(&escaped));
        prop_assert!(result["partialFingerprints"]["primaryLocationLineHash"].is_string());
        let uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"].as_str().unwrap();
        prop_assert!(uri.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~/%".contains(&b)));
    }

    #[test]
    fn junit_holds_the_text(world in run()) {
        let text = world.render(Format::Junit);
        let document = roxmltree::Document::parse(&text).unwrap();
        let failure = document.descendants().find(|n| n.has_tag_name("failure")).unwrap();
        let wanted = xml_text(&world.findings[0].message);
        prop_assert_eq!(failure.attribute("message"), Some(wanted.as_str()));
    }

    #[test]
    fn html_holds_the_text(world in run()) {
        let text = world.render(Format::Html);
        let body = text.strip_prefix("<!DOCTYPE html>\n").unwrap();
        let document = roxmltree::Document::parse(body).unwrap();
        let heading = document.descendants().find(|n| n.has_tag_name("h2")).unwrap();
        let said: String = heading.descendants().filter(|n| n.is_text()).filter_map(|n| n.text()).collect();
        prop_assert!(said.ends_with(&xml_text(&world.findings[0].message)), "{}", said);
        let names: Vec<_> = document.descendants().filter(|n| n.is_element()).map(|n| n.tag_name().name()).collect();
        prop_assert_eq!(names.iter().filter(|n| **n == "script").count(), 1);
        prop_assert_eq!(names.iter().filter(|n| **n == "b").count(), 0);
    }

    #[test]
    fn markdown_says_the_text_and_nothing_else(world in run()) {
        let markdown = world.render(Format::Markdown);
        let said = markdown_text(&markdown);
        let f = &world.findings[0];
        // Backticks may become the marks of code; all else is said, what is not printable as U+FFFD.
        let printable = |c: char| match c {
            '\n' | '\r' | '\t' => ' ',
            c if commands(c) || matches!(c, '\u{2028}' | '\u{2029}') => char::REPLACEMENT_CHARACTER,
            c => c,
        };
        let wanted: String = f.message.chars().map(printable).filter(|c| !c.is_whitespace() && *c != '`').collect();
        let said: String = said.chars().filter(|c| *c != '`').collect();
        prop_assert!(said.contains(&wanted), "{:?} in {:?}", wanted, said);
        let events = pulldown_cmark::Parser::new_ext(&markdown, pulldown_cmark::Options::ENABLE_TABLES);
        for event in events {
            match event {
                pulldown_cmark::Event::InlineHtml(html) => prop_assert_eq!(&*html, "<!-- -->"),
                pulldown_cmark::Event::Start(pulldown_cmark::Tag::Link { .. } | pulldown_cmark::Tag::Image { .. }) =>
                    prop_assert!(false, "a link came from a message"),
                _ => {}
            }
        }
    }

    #[test]
    fn github_commands_are_one_line_each(world in run()) {
        let text = world.render(Format::Github);
        let lines: Vec<&str> = text.split('\n').collect();
        prop_assert_eq!(lines.len(), 3, "a finding, a notice, and the end");
        prop_assert!(!text.contains('\r'));
        let (head, data) = lines[0].strip_prefix("::warning ").unwrap().split_once("::").unwrap();
        prop_assert_eq!(head.split(',').count(), 6);
        let said = data.replace("%0A", "\n").replace("%0D", "\r").replace("%25", "%");
        let same = said.chars().zip(world.findings[0].message.chars()).all(|(a, b)| a == b || a == char::REPLACEMENT_CHARACTER);
        prop_assert!(same, "{}", said);
    }

    #[test]
    fn a_terminal_gets_no_command_from_the_text(world in run()) {
        let short = world.render(Format::Short);
        prop_assert_eq!(short.matches('\n').count(), 1);
        for text in [short, world.render(Format::Human)] {
            prop_assert_eq!(text.chars().find(|&c| commands(c)), None);
        }
    }
}
