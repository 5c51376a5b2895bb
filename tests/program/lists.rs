//! Lists of the operator: what needs one that is not set says so, wherever it is asked.

use super::Place;

const RECORD: &str = r#"{"Records":[{"eventVersion":"1.11","userIdentity":{"type":"IAMUser","principalId":"AIDAEXAMPLEALICE","arn":"arn:aws:iam::111122223333:user/alice","accountId":"111122223333","userName":"alice"},"eventTime":"2026-11-20T11:50:00Z","eventSource":"ec2.amazonaws.com","eventName":"RunInstances","awsRegion":"sa-east-1","sourceIPAddress":"203.0.113.7","requestParameters":{},"responseElements":{},"eventID":"6b7b0d8c-0000-4000-8000-000000000001","readOnly":false,"eventType":"AwsApiCall","recipientAccountId":"111122223333"}]}"#;

const ALERT: &str = "aws/unused-region";
const WHY: &str = "a list is not set: set lists.regions_in_use in whodid.toml";

fn settings(lists: &str) -> String {
    format!(
        "data = \"data\"\nkeys = \"keys\"\n{lists}\n[replay]\nnow = \"2026-11-20T12:00:00Z\"\n\
         [[source]]\nname = \"aws\"\ntype = \"cloudtrail\"\npaths = [\"log/cloudtrail.json\"]\n"
    )
}

#[test]
fn an_alert_whose_list_is_not_set_is_said_and_never_ok() {
    let place = Place::new("");
    place.write("whodid.toml", settings("").as_bytes());
    place.write("log/cloudtrail.json", RECORD.as_bytes());
    let why = format!("because {WHY}: {ALERT}\n");
    place.run(&["run", "--once"]).code(0).out_holds(&format!("Skipped, {why}"));
    place.run(&["config", "check"]).code(0).out_holds(&format!("not evaluated, {why}"));
    place.run(&["alert", "list"]).code(0).out_holds(&format!("not evaluated, {why}"));
    let listed = place.run(&["query", "list"]).code(0).out_of().to_owned();
    let line = listed.lines().find(|line| line.starts_with(ALERT)).expect("listed");
    assert!(line.contains(" regions_in_use "), "{line}");
    place.run(&["check", ALERT]).code(3).out_holds(&format!("UNKNOWN {ALERT}: {WHY}"));
    place.run(&["check", "--all"]).err_holds(&format!("{ALERT}: skipped: {WHY}"));
    place.run(&["search", "--saved", ALERT]).code(1).err_holds(WHY);
    place.run(&["search", "where.region:$regions_in_use"]).code(1).err_holds(WHY);
    place.run(&["search", "where.region:$regions"]).code(1).err_holds("did you mean \"regions_in_use\"?");
    place.run(&["alert", "test", ALERT]).code(1).err_holds(WHY);
    place.run(&["query", "explain", ALERT]).code(0).out_holds(WHY);
    assert_eq!(
        place.search("what.action:(alert.* AND NOT alert.defined) AND what.object:\"aws/unused-region\""),
        [],
        "no verdict"
    );

    place.write("whodid.toml", settings("[lists]\nregions_in_use = [\"eu-*\", \"us-east-1\"]").as_bytes());
    place.run(&["run", "--once"]).code(0).out_holds(&format!("CRITICAL {ALERT}"));
    place.run(&["check", ALERT]).code(2).out_holds("alice");
    place.run(&["query", "explain", ALERT]).code(0).out_holds("not: any of:").out_holds("is like eu-*");
    assert_eq!(place.search("where.region:$regions_in_use"), []);
    assert_eq!(place.search("source.kind:cloudtrail NOT where.region:$regions_in_use").len(), 1);
    let changed = place.search("what.action:query.changed AND detail.whodid.change:changed");
    let changed: Vec<_> = changed.iter().filter_map(|event| event.what.object.as_deref()).collect();
    assert_eq!(changed, [ALERT], "the definition is another one");
}
