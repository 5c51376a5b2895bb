//! Grants of keys to other accounts. Their policies are in [`super::policies`].

use super::{Call, Change, account_of};

pub(super) fn read(call: &Call<'_, '_>, change: &mut Change) {
    match call.action {
        "CreateGrant" => {
            let grant = call.response.text("grantId");
            let grantee = call.request.text("granteePrincipal");
            // AWS's own services work with grants all day; what is let out is another account's.
            if let Some(grantee) = grantee.filter(|who| account_of(who).is_some() && !call.is_own(who)) {
                change.open_to(&grantee, grant.as_deref());
            }
        }
        "RevokeGrant" | "RetireGrant" => {
            if let Some(grant) = call.request.text("grantId") {
                change.close_rule(&grant);
            }
        }
        _ => {}
    }
}
