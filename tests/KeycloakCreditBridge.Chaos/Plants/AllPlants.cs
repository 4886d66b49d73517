using KeycloakCreditBridge.Chaos.Evidence;
using KeycloakCreditBridge.Chaos.Faults;
using KeycloakCreditBridge.Chaos.Plans;

namespace KeycloakCreditBridge.Chaos.Plants;

/// <summary>Broken promises of each kind.</summary>
internal static class AllPlants
{
    private const string SomeMove =
        "(select t.id from credit_transactions t where t.metadata ? 'chaos' and t.transaction_type = 'usage' order by t.id limit 1)";

    private const string SomeAccount = "(select c.user_id from user_credits c where c.status = 'active' order by c.user_id limit 1)";

    private const string SomeUser = "(select c.keycloak_id from user_credits c where c.status = 'active' order by c.user_id limit 1)";

    // A copy of a row with all that hangs on it, as a request that is carried out twice would leave it.
    private const string Booked =
        """
        with booked as (
            insert into credit_transactions (user_id, amount, balance_after, transaction_type, metadata, created_at, grant_key)
            select c.user_id, {0}, c.credits_remaining + ({0}), {1}, {2}, c.updated_at + interval '1 hour', {3}
            from user_credits c where c.user_id = {4}
            returning user_id, amount, created_at
        )
        update user_credits c set credits_remaining = c.credits_remaining + b.amount, updated_at = b.created_at
        from booked b where c.user_id = b.user_id
        """;

    public static IReadOnlyList<Plant> Each { get; } =
    [
        new("an account is missing", "accounts", $"delete from user_credits where user_id = {SomeAccount}"),
        new("an opening is missing", "openings",
            $"update credit_transactions set grant_key = 'other' where grant_key = 'signup' and user_id = {SomeAccount}"),
        new("an opening is given twice", "openings", Row("5", "'bonus'", "'{}'::jsonb", "'welcome'", SomeAccount)
            + $"; insert into audit_logs (user_id, action, result) select {SomeAccount}, 'credit.create', 'success'"),
        new("an enabled user is held", "status", $"update user_credits set status = 'held' where user_id = {SomeAccount}"),
        new("a deleted user's account is open", "status", Change: file => file with { Users = [.. file.Users.Skip(1)] }),
        new("a balance is not its ledger's sum", "sums",
            $"update user_credits set credits_remaining = credits_remaining + 1 where user_id = {SomeAccount}"),
        new("a row says another balance", "chains",
            $"update credit_transactions set balance_after = balance_after + 1 where id = {SomeMove}"),
        new("two rows are booked at one time", "chains",
            $"""
            update credit_transactions t set created_at = (
                select min(o.created_at) from credit_transactions o where o.user_id = t.user_id and o.id <> t.id)
            where t.id = {SomeMove}
            """),
        new("an acknowledged change is lost", "moves",
            $"""
            with lost as (delete from credit_transactions where id = {SomeMove} returning user_id, amount)
            update user_credits c set credits_remaining = c.credits_remaining - l.amount from lost l where c.user_id = l.user_id
            """),
        new("an acknowledged change is booked twice", "moves", Row(
            $"(select amount from credit_transactions where id = {SomeMove})", "'usage'",
            $"(select metadata from credit_transactions where id = {SomeMove})", "null",
            $"(select user_id from credit_transactions where id = {SomeMove})")),
        new("a refused change is booked", "moves", Change: file => file with
        {
            Calls = [.. file.Calls.Select(call => call.Kind == StepKind.Deduct ? call with { Outcome = CallOutcome.Refused } : call)],
        }),
        new("a change has another amount", "moves",
            $"update credit_transactions set amount = amount - 0.000001 where id = {SomeMove}"),
        new("a change no caller asked for", "foreign",
            Row("-1", "'usage'", "'{\"chaos\":\"Deduct-x\"}'::jsonb", "null", SomeAccount)),
        new("a refund gives back more than was taken", "refunds",
            """
            update credit_transactions set metadata = jsonb_build_object('refunds', (
                select u.id from credit_transactions u where u.user_id = credit_transactions.user_id and u.amount < 0
                order by u.amount desc limit 1)), amount = 100
            where id = (
                select r.id from credit_transactions r
                where r.transaction_type = 'refund'
                    and exists (select from credit_transactions u where u.user_id = r.user_id and u.amount < 0)
                order by r.id limit 1)
            """),
        new("a grant is voided twice", "voids", Change: file => file with
        {
            Calls = [.. file.Calls, Void("a", CallOutcome.Done), Void("b", CallOutcome.Done)],
        }),
        new("a switched tier is lost", "tiers", Change: file => file with
        {
            Calls = [.. file.Calls.Where(call => call.Kind != StepKind.SwitchTier), Switch(file.EachAccount.First().Owner)],
        }),
        new("lots are not the balance", "lots",
            $"update user_credits set credits_remaining = credits_remaining + 1 where user_id = {SomeAccount}"),
        new("a hint is left", "backlog",
            """
            insert into user_hints (realm, keycloak_id, version, source, cause, kind, hinted_at, due_at)
            select 'demo', 'x', nextval('user_hints_version'), 'webhook', 'x', 'changed', now(), now()
            """),
        new("a report is left", "backlog",
            $"""
            insert into usage_batches (body, received_at, due_at)
            select convert_to(jsonb_build_array(jsonb_build_object(
                'metadata', jsonb_build_object('user_api_key_user_id', {SomeUser})))::text, 'UTF8'), now(), now()
            """),
        new("a balance is read that never was", "reads", Change: file => file with
        {
            Calls = [.. file.Calls.Select(call => call.Kind == StepKind.Read ? call with { Balance = call.Balance + 1000 } : call)],
        }),
        new("a read misses a change that was acknowledged before", "reads", Change: Stale),
        new("a code says that more places are taken than are", "codes",
            "update codes set max_redemptions = max_redemptions + 1, redeemed = redeemed + 1"),
        new("a redeemed code is not paid", "codes",
            """
            with lost as (
                delete from credit_transactions where id = (
                    select id from credit_transactions where grant_key like 'code:%' order by id limit 1)
                returning user_id, amount)
            update user_credits c set credits_remaining = c.credits_remaining - l.amount from lost l where c.user_id = l.user_id
            """),
        new("an acknowledged redemption is lost", "codes", "delete from code_redemptions"),
        new("a referral is paid that no account got anything of", "referrals",
            $"""
            insert into referrals (referrer, referee, state, touched_at, evaluated_at)
            select {SomeAccount}, {SomeAccount}, 'paid', now(), now()
            """),
        new("one side of a referral is paid alone", "referrals",
            Row("0.5", "'bonus'", "'{}'::jsonb", "'referral:received'", SomeAccount)),
        new("an ended period is not renewed", "periods",
            "update credit_transactions set grant_key = 'x' || grant_key where grant_key like 'reset:%'"),
        new("a period waits", "backlog",
            $"""
            update user_credits set created_at = now() - interval '1 hour', last_reset = now() - interval '5 minutes'
            where user_id = {SomeAccount}
            """),
        new("a grant has no event", "events",
            "delete from outbox where seq = (select min(seq) from outbox where type = 'credits.granted')"),
        new("an event is not taken", "events", Change: file => file with
        {
            TakenEvents = [.. file.TakenEvents.Where(id => id != file.Events[^1].Id)],
        }),
        new("an event is taken that is not on record", "events", Change: file => file with
        {
            TakenEvents = [.. file.TakenEvents, Guid.NewGuid().ToString()],
        }),
        new("events of an account are taken in another order", "events", Change: file => file with
        {
            TakenEvents = [.. file.TakenEvents.Reverse()],
        }),
        new("a fault is seen by no operator", "sights", Change: file => file with
        {
            Faults =
            [
                new InjectedFault(
                    new PlannedFault(0, TimeSpan.Zero, FaultKind.Kill, 0, TimeSpan.Zero, 1), DateTimeOffset.UtcNow, DateTimeOffset.UtcNow,
                    Hits: 1),
            ],
            Scrapes = [],
        }),
        new("a process ends by itself", "processes", Change: file => file with { Ends = ["Replica 0 ended by itself."] }),
    ];

    private static string Row(string amount, string type, string metadata, string key, string account) => Booked
        .Replace("{0}", amount, StringComparison.Ordinal).Replace("{1}", type, StringComparison.Ordinal)
        .Replace("{2}", metadata, StringComparison.Ordinal).Replace("{3}", key, StringComparison.Ordinal)
        .Replace("{4}", account, StringComparison.Ordinal);

    private static Call Void(string name, CallOutcome outcome) =>
        new(StepKind.VoidGrant, name, "x", DateTimeOffset.UtcNow, DateTimeOffset.UtcNow, 0, 1, outcome) { About = "tx:x" };

    private static Call Switch(string account) =>
        new(StepKind.SwitchTier, "x", account, DateTimeOffset.UtcNow, DateTimeOffset.UtcNow, 0, 1, CallOutcome.Done) { About = "gold" };

    // The balance of before an account's last change, read two seconds after it.
    private static CaseFile Stale(CaseFile file)
    {
        var last = file.Calls.Where(call => call.Kind == StepKind.Deduct && call.Outcome == CallOutcome.Done)
            .First(call => file.Ledger[call.Account].Last().Name == call.Name);
        var entry = file.Ledger[last.Account].Last();
        var at = last.Ended.AddSeconds(2);
        return file with
        {
            Calls =
            [
                .. file.Calls,
                new Call(StepKind.Read, "x", last.Account, at, at, 1 - last.Replica, 1, CallOutcome.Done)
                {
                    Balance = entry.BalanceAfter - entry.Amount,
                },
            ],
        };
    }
}
