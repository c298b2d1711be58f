//! The machine formats against what they promise: published schemas, GitHub's limits, links that lead somewhere.

mod common;

use common::{at, finding, world};
use serde_json::Value;
use uncork_lints::finding::{Level, Related, Severity};
use uncork_lints::source::FileId;
use uncork_reports::{Format, NoticeLevel};

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("well-formed JSON")
}

fn assert_valid(schema: &str, instance: &Value) {
    let validator = jsonschema::validator_for(&json(schema)).expect("the schema itself is valid");
    let errors: Vec<String> =
        validator.iter_errors(instance).map(|e| format!("{}: {e}", e.instance_path())).collect();
    assert!(errors.is_empty(), "{}", errors.join("\n"));
}

fn sarif_result<'a>(log: &'a Value, message: &str) -> &'a Value {
    let results = log["runs"][0]["results"].as_array().expect("results");
    results
        .iter()
        .find(|r| r["message"]["text"].as_str().is_some_and(|t| t.contains(message)))
        .expect("the finding is in the log")
}

#[test]
fn sarif_is_valid_by_the_published_schema() {
    let schema = include_str!("../schemas/sarif-schema-2.1.0.json");
    let mut world = world();
    assert_valid(schema, &json(&world.render(Format::Sarif)));
    world.findings.clear();
    world.notices.clear();
    world.fixes.clear();
    assert_valid(schema, &json(&world.render(Format::Sarif)));
    // The schema is really applied: what it forbids is refused.
    let validator = jsonschema::validator_for(&json(schema)).expect("valid");
    assert!(!validator.is_valid(&serde_json::json!({ "version": "2.1.0", "runs": [{}] })));
}

#[test]
fn json_is_valid_by_its_own_schema() {
    let schema = include_str!("../../docs/findings.schema.json");
    let mut world = world();
    let document = json(&world.render(Format::Json));
    assert_valid(schema, &document);
    // A line of the other format is one of the document's findings.
    let lines = world.render(Format::Jsonl);
    let lines: Vec<Value> = lines.lines().map(json).collect();
    assert_eq!(Value::Array(lines), document["findings"]);
    world.findings.clear();
    world.notices.clear();
    assert_valid(schema, &json(&world.render(Format::Json)));
    let mut wrong = document;
    wrong["findings"][0]["severity"] = "grave".into();
    assert!(!jsonschema::validator_for(&json(schema)).expect("valid").is_valid(&wrong));
}

#[test]
fn every_field_of_the_json_is_documented() {
    let docs = include_str!("../../docs/json.md");
    fn names(value: &Value, out: &mut std::collections::BTreeSet<String>) {
        match value {
            Value::Object(map) => map.iter().for_each(|(k, v)| {
                out.insert(k.clone());
                names(v, out);
            }),
            Value::Array(list) => list.iter().for_each(|v| names(v, out)),
            _ => {}
        }
    }
    let mut fields = std::collections::BTreeSet::new();
    names(&json(&world().render(Format::Json)), &mut fields);
    let missing: Vec<_> = fields.iter().filter(|f| !docs.contains(&format!("`{f}`"))).collect();
    assert!(missing.is_empty(), "not in docs/json.md: {missing:?}");
}

#[test]
fn sarif_regions_lie_on_one_line_in_utf16() {
    let log = json(&world().render(Format::Sarif));
    assert_eq!(log["runs"][0]["columnKind"], "utf16CodeUnits");
    for result in log["runs"][0]["results"].as_array().expect("results") {
        let places = std::iter::once(&result["locations"][0])
            .chain(result["relatedLocations"].as_array().into_iter().flatten());
        for place in places {
            let region = &place["physicalLocation"]["region"];
            assert_eq!(region["startLine"], region["endLine"]);
            assert!(region["startColumn"].as_u64() <= region["endColumn"].as_u64());
        }
    }
    // `名前.lock()` on line 2 comes after a crab, which is two units.
    let wide = sarif_result(&log, "`名前`");
    let region = &wide["relatedLocations"][0]["physicalLocation"]["region"];
    assert_eq!((region["startLine"].as_u64(), region["startColumn"].as_u64()), (Some(2), Some(26)));
}

#[test]
fn sarif_messages_link_to_related_locations() {
    let log = json(&world().render(Format::Sarif));
    for result in log["runs"][0]["results"].as_array().expect("results") {
        let text = result["message"]["text"].as_str().expect("text");
        let ids: Vec<u64> = result["relatedLocations"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|r| r["id"].as_u64().expect("id"))
            .collect();
        let mut links = 0;
        let mut rest = text;
        while let Some(i) = rest.find("](") {
            let escaped = rest[..i].ends_with('\\');
            rest = &rest[i + 2..];
            if escaped {
                continue;
            }
            let id: u64 = rest[..rest.find(')').expect("closed")].parse().expect("a number");
            assert!(ids.contains(&id), "{text}");
            links += 1;
        }
        assert_eq!(links, ids.len().min(10), "{text}");
    }
}

#[test]
fn sarif_paths_are_those_of_the_repository() {
    let log = json(&world().render(Format::Sarif));
    let run = &log["runs"][0];
    assert_eq!(run["originalUriBaseIds"]["%SRCROOT%"]["uri"], "file:///home/me/my%20project/");
    let location = &sarif_result(&log, "`名前`")["locations"][0]["physicalLocation"]["artifactLocation"];
    assert_eq!(location["uri"], "crates/store/src/wide%20%C3%BC.rs");
    assert_eq!(location["uriBaseId"], "%SRCROOT%");
}

#[test]
fn sarif_carries_chains_fixes_and_notices() {
    let log = json(&world().render(Format::Sarif));
    let chain = sarif_result(&log, "three calls away");
    let steps = chain["codeFlows"][0]["threadFlows"][0]["locations"].as_array().expect("steps");
    assert_eq!(steps.len(), 4);
    assert_eq!(steps[3]["location"]["message"]["text"], "File::sync_all blocks on I/O");
    let fixed = sarif_result(&log, "is a map behind one lock");
    let changes = fixed["fixes"][0]["artifactChanges"].as_array().expect("changes");
    assert_eq!(changes.len(), 2, "source and manifest");
    assert_eq!(changes[1]["replacements"][0]["insertedContent"]["text"], "dashmap = \"6\"\n");
    let invocation = &log["runs"][0]["invocations"][0];
    assert_eq!(invocation["executionSuccessful"], false);
    assert_eq!(invocation["toolExecutionNotifications"].as_array().map(Vec::len), Some(2));
}

#[test]
fn sarif_keeps_to_githubs_limits() {
    let mut world = world();
    let place = at(&world.sources, FileId(0), "pages", 0);
    let grave = world.findings.pop().expect("one");
    world.findings.clear();
    for i in 0..25_010 {
        let mut f = finding("shared-map-lock", place, &format!("number {i}"));
        f.severity = Severity::Low;
        world.findings.push(f);
    }
    world.findings.push(grave);
    let mut many = finding("shared-map-lock", place, "many places");
    many.level = Level::Deny;
    many.related = (0..1500).map(|_| Related { at: place, label: "again".into() }).collect();
    world.findings.push(many);
    let log = json(&world.render(Format::Sarif));
    let results = log["runs"][0]["results"].as_array().expect("results");
    assert_eq!(results.len(), 25_000);
    assert_eq!(results[0]["relatedLocations"].as_array().map(Vec::len), Some(1000));
    assert!(results[1]["message"]["text"].as_str().expect("text").contains("🦀"), "severe before frequent");
    let notes = log["runs"][0]["invocations"][0]["toolExecutionNotifications"].as_array().expect("notes");
    assert!(notes.iter().any(|n| n["message"]["text"].as_str().expect("text").starts_with("12 findings")));
    for rule in log["runs"][0]["tool"]["driver"]["rules"].as_array().expect("rules") {
        assert!(rule["properties"]["tags"].as_array().expect("tags").len() <= 10);
    }
}

#[test]
fn gitlab_fingerprints_are_unique() {
    let mut world = world();
    let again = world.findings[0].clone();
    world.findings.push(again);
    let issues = json(&world.render(Format::Gitlab));
    let issues = issues.as_array().expect("an array");
    let fingerprints: std::collections::BTreeSet<_> =
        issues.iter().map(|i| i["fingerprint"].as_str().expect("a string")).collect();
    assert_eq!(fingerprints.len(), issues.len());
    assert_eq!(issues.len(), 7, "six findings and the notice that names a file");
}

#[test]
fn junit_counts_what_it_holds() {
    let world = world();
    let text = world.render(Format::Junit);
    let document = roxmltree::Document::parse(&text).expect("well-formed XML");
    let root = document.root_element();
    let cases = root.descendants().filter(|n| n.has_tag_name("testcase")).count();
    assert_eq!(root.attribute("tests"), Some(cases.to_string().as_str()));
    let errors = world.notices.iter().filter(|n| n.level == NoticeLevel::Error).count();
    assert_eq!(root.descendants().filter(|n| n.has_tag_name("error")).count(), errors);
    for suite in root.children().filter(|n| n.has_tag_name("testsuite")) {
        let own = suite.children().filter(|n| n.has_tag_name("testcase")).count();
        assert_eq!(suite.attribute("tests"), Some(own.to_string().as_str()));
    }
}

#[test]
fn markdown_fits_a_comment() {
    let mut world = world();
    let place = at(&world.sources, FileId(0), "pages", 0);
    for i in 0..3000 {
        let f = finding(&format!("rule-{}", i % 40), place, &format!("{i}: {}", "long ".repeat(40)));
        world.findings.push(f);
    }
    let text = world.render(Format::Markdown);
    assert!(text.len() < 65_536, "{}", text.len());
    assert!(text.contains("more findings are not listed here"));
}
