using System.Collections;

namespace KeycloakCreditBridge.Tests.Faults;

/// <summary>
/// Steps of a run at which a bridge is killed, as by a power failure: `reviewed`, or `reviewed:3` for the third time. They are planted from
/// outside, by a startup hook that recognises the statements which the bridge sends to PostgreSQL.
/// </summary>
internal static class KillPoint
{
    public const string Variable = "CREDIT_BRIDGE_KILL_AT";

    /// <summary>The run has stored how far it is; the only step after its statement, the others come before theirs.</summary>
    public const string Saved = "saved";

    private const string Save = "update reconcile_runs set phase =";

    /// <summary>By step, a part of the statement that marks it.</summary>
    public static readonly IReadOnlyDictionary<string, string> Statements = new Dictionary<string, string>
    {
        // A part of the realm was read, and nothing was done about it.
        ["read"] = "not w.present as missing",
        // Its users are converged; the run does not know yet.
        ["reviewed"] = Save,
        [Saved] = Save,
        // Everything was read; no account was closed.
        ["scanned"] = "as not_shown from reconcile_absent",
        // The sweep, statement by statement: accounts are locked, simple ones booked, the others replayed and booked.
        ["due"] = "from user_credits c cross join transaction",
        ["simple"] = "greatest(c.credits_remaining, 0) as remainder",
        ["checkpoints"] = "from lot_checkpoints k where k.user_id = any",
        ["stamps"] = "g.evidence::text as evidence from credit_grants g",
        ["rows"] = "t.metadata ->> 'takes' end as takes",
        ["lots"] = "as earlier from credit_transactions t where t.user_id = b.user_id",
        // A void: the account is locked, and its lots are known when it is asked whether it was done before.
        ["locked"] = "now()) as at from user_credits c where c.user_id = any",
        ["void_before"] = "select 1 as found from credit_transactions t",
        ["void"] = "'reason', 'void', 'grant',",
        // A refund: it is asked whether anything in the account ends, then written.
        ["has_ends"] = "starts_with(t.grant_key, 'void:') or t.metadata ?",
        ["refund"] = "insert into usage_refunds",
        // The end of a period: accounts are locked, those with lots found, and all renewed.
        ["period_locks"] = "as is_due from walked w join user_credits c",
        ["period_lots"] = "from credit_grants g where g.user_id = c.user_id limit 1) is not null",
        ["period"] = "renewed, granted, credits, forfeited from summed",
        // A referral that is earned, statement by statement: its accounts are found and locked, its facts read, and both paid.
        ["referral"] = "select r.referrer, r.referee from referrals r where",
        ["referral_facts"] = "as is_task_done",
        ["referral_budget"] = "insert into grant_budgets as b",
        ["referral_given"] = "'amount', amount::numeric(20, 6)::text, 'policy', policy, 'expires_at'",
        ["referral_moved"] = "update referrals r set state =",
        // A code: its place is taken, the grant given; a kept place is paid; a campaign's redemption ends after its grant was voided.
        ["code"] = "set redeemed = c.redeemed + 1",
        ["code_grant"] = "as w (user_id, grant_key, amount, type, metadata, category",
        ["code_held"] = "set state = 'paid', decided_at",
        ["code_end"] = "set state = case r.state when 'held'",
        // A user's account is about to be opened.
        ["converge"] = "hint_version)",
        // A batch of accounts is closed; the run does not know yet.
        ["closed"] = "delete from reconcile_absent where run_id = @RunId::bigint and keycloak_id = any",
    };

    /// <summary>Has a bridge with this environment killed at a step.</summary>
    public static void Plant(IDictionary environment, string step)
    {
        environment[Variable] = step;
        environment["DOTNET_STARTUP_HOOKS"] = typeof(KillPoint).Assembly.Location;
    }
}
