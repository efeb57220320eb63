//! What people do with messages and modals, as the payloads that Slack makes of it.

use serde_json::{Map, Value, json};

use super::{SlackStub, Workspace, blocks};

impl SlackStub {
    /// The payload of a click on a button of a message as it is now, if it has that button. Its trigger opens one modal.
    pub fn click(&self, user: &str, channel: &str, ts: &str, action_id: &str) -> Option<Value> {
        let mut workspace = self.workspace();
        let message = workspace.messages.get(&(channel.to_owned(), ts.to_owned()))?.clone();
        let blocks = message.get("blocks")?.as_array()?;
        let mut elements = blocks.iter().filter_map(|block| block.get("elements")?.as_array()).flatten();
        let button = elements.find(|element| element.get("action_id").is_some_and(|id| id == action_id))?;
        let mut action = button.as_object()?.clone();
        let trigger = workspace.trigger();
        action.insert("block_id".to_owned(), json!("b"));
        action.insert("action_ts".to_owned(), json!(trigger));
        Some(json!({
            "type": "block_actions",
            "user": person(user),
            "api_app_id": "A0STUB",
            "token": "deprecated",
            "container": {
                "type": "message", "message_ts": ts, "channel_id": channel, "is_ephemeral": false
            },
            "trigger_id": trigger,
            "team": { "id": "T0ACME", "domain": "acme" },
            "enterprise": null,
            "is_enterprise_install": false,
            "channel": { "id": channel, "name": "directmessage" },
            "message": message,
            "state": { "values": {} },
            "response_url": "https://hooks.slack.example/actions/T0ACME/1/x",
            "actions": [action],
        }))
    }

    /// The payload of a modal's submission with the same text in each input, if the modal is open.
    pub fn submission(&self, user: &str, view: &str, text: &str) -> Option<Value> {
        let mut workspace = self.workspace();
        let mut view = workspace.views.get(view)?.clone();
        let inputs = view.get("blocks")?.as_array()?.iter().filter_map(|block| {
            let element = block.get("element")?.get("action_id")?.as_str()?;
            let value = if text.is_empty() { Value::Null } else { json!(text) };
            let state = json!({ element: { "type": "plain_text_input", "value": value } });
            Some((block.get("block_id")?.as_str()?.to_owned(), state))
        });
        let values: Map<String, Value> = inputs.collect();
        view.as_object_mut()?.insert("state".to_owned(), json!({ "values": values }));
        let trigger = workspace.trigger();
        Some(json!({
            "type": "view_submission",
            "team": { "id": "T0ACME", "domain": "acme" },
            "user": person(user),
            "api_app_id": "A0STUB",
            "token": "deprecated",
            "trigger_id": trigger,
            "view": view,
            "response_urls": [],
            "is_enterprise_install": false,
            "enterprise": null,
        }))
    }

    /// The payload of a modal that somebody closes, if it is open.
    pub fn close(&self, user: &str, view: &str) -> Option<Value> {
        let view = self.workspace().views.remove(view)?;
        Some(json!({
            "type": "view_closed",
            "team": { "id": "T0ACME", "domain": "acme" },
            "user": person(user),
            "api_app_id": "A0STUB",
            "token": "deprecated",
            "view": view,
            "is_cleared": false,
            "is_enterprise_install": false,
            "enterprise": null,
        }))
    }
}

fn person(id: &str) -> Value {
    let name = id.to_lowercase();
    json!({ "id": id, "username": name, "name": name, "team_id": "T0ACME" })
}

impl Workspace {
    fn trigger(&mut self) -> String {
        self.interactions += 1;
        let trigger = format!("{}.1775000000.stub", self.interactions);
        self.triggers.insert(trigger.clone(), false);
        trigger
    }

    pub(super) fn open_view(&mut self, trigger: &str, view: Option<&Value>) -> Result<Value, &'static str> {
        let mut view = view.cloned().ok_or("invalid_arguments")?;
        blocks::check_view(&view)?;
        match self.triggers.get_mut(trigger) {
            None => return Err("invalid_trigger_id"),
            Some(true) => return Err("exchanged_trigger_id"),
            Some(used) => *used = true,
        }
        let id = format!("V0VIEW{trigger}");
        let fields = view.as_object_mut().ok_or("invalid_arguments")?;
        fields.insert("id".to_owned(), json!(id));
        fields.insert("hash".to_owned(), json!("1775000000.stub"));
        fields.insert("state".to_owned(), json!({ "values": {} }));
        self.views.insert(id, view.clone());
        Ok(json!({ "view": view }))
    }
}
