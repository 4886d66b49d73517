using System.Text.Json.Nodes;
using KeycloakCreditBridge.Grants.Referrals.Payments;
using KeycloakCreditBridge.Grants.Review.Holds;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Grants.Referrals.Payments;

/// <summary>However many referrals and holds wait, one turn of them is read, each by an index.</summary>
public sealed class WakeTurnTests(PostgresFixture postgres)
{
    private const int Waiting = 20_000;

    private const string PrepareSql =
        """
        insert into user_credits (user_id, realm, keycloak_id, credits_remaining, credits_allocated, tier, created_at, updated_at)
        select 'u' || n, 'shop', 'u' || n, 0, 0, 'trial', @At, @At from generate_series(1, @Waiting) n;
        insert into keycloak_users (realm, keycloak_id, account_id, user_state, created_at, checked_at)
        select 'shop', 'u' || n, 'u' || n, 'account', @At, @At from generate_series(1, @Waiting) n;
        insert into credit_transactions (user_id, amount, balance_after, transaction_type, created_at)
        select 'u' || n, 0, 0, 'usage', @At from generate_series(1, @Waiting) n;
        insert into referrals (referrer, referee, state, touched_at, evaluated_at, due_at)
        select 'boss', 'u' || n, 'touched', @At, @At + n * interval '1 second', @At + interval '90 days'
        from generate_series(1, @Waiting) n;
        insert into grant_holds (user_id, grant_key, policy, credits, terms, score, signals, state, held_at, lapse_after, lapses_at)
        select 'u' || n, 'task:x', 'task:x', 1, '{"source":"webhook"}', 45, '[]', 'held', @At + interval '1 second', interval '14 days',
            @At + interval '14 days' + n * interval '1 second'
        from generate_series(1, @Waiting) n;
        analyze;
        """;

    private static readonly string[] Tables = ["referrals", "grant_holds", "user_credits", "keycloak_users", "credit_transactions"];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_turn_reads_no_table_as_a_whole_and_turns_come_to_each_one()
    {
        await using var fixture = await ReferralFixture.StartAsync(postgres);
        var at = fixture.Time.GetUtcNow();
        await fixture.Database.ExecuteAsync(PrepareSql, new { At = at, Waiting });
        var turn = new
        {
            Now = at.AddDays(1), CheckedBefore = at, Limit = HoldBook.MostAtOnce, TurnAt = DateTimeOffset.UnixEpoch, TurnId = Guid.Empty,
            WakeStore.MostInTurn,
        };
        Assert.Equal(WakeStore.MostInTurn, DueHoldStore.MostInTurn);
        foreach (var sql in (string[])[WakeStore.WakeSql, DueHoldStore.DueSql, DueHoldStore.TurnSql])
        {
            var plan = JsonNode.Parse((await fixture.Database.ScalarAsync<string>($"explain (analyze, format json) {sql}", turn))!)!;
            foreach (var node in Nodes(plan[0]!["Plan"]!).Where(node => Tables.Contains((string?)node["Relation Name"])))
            {
                Assert.True((string?)node["Node Type"] != "Seq Scan", $"A table is read as a whole: {node}");
                // A sort reads a few rows ahead.
                Assert.InRange((double)node["Actual Rows"]! * (double)node["Actual Loops"]!, 0, WakeStore.MostInTurn + 100);
            }
        }

        await fixture.Database.ExecuteAsync(
            "update user_credits set updated_at = @Later where user_id in ('u1', 'u7000', 'u19999')", new { Later = at.AddDays(2) });
        List<int> turns = [];
        var next = ReferralTurn.First;
        for (var round = 0; round < (Waiting / WakeStore.MostInTurn) + 1; round++)
        {
            next = await WakeStore.WakeAsync(fixture.Database.DataSource, next, at.AddDays(3), Token);
            turns.Add(await fixture.Database.ScalarAsync<int>(
                "select count(*)::int from referrals where due_at = @At", new { At = at.AddDays(3) }));
        }

        Assert.Equal([1, 2, 2, 3, 3], turns);
        Assert.Equal(ReferralTurn.First, next);
        await fixture.Database.ExecuteAsync(
            """
            update user_credits set credits_remaining = 1 where user_id = 'u7000';
            insert into credit_transactions (user_id, amount, balance_after, transaction_type, metadata, created_at)
            values ('u7000', 1, 1, 'purchase', '{}', @Later)
            """, new { Later = at.AddDays(2) });
        List<int> due = [];
        var holds = HoldTurn.First;
        for (var round = 0; round < (Waiting / DueHoldStore.MostInTurn) + 1; round++)
        {
            due.Add((await DueHoldStore.DueAsync(
                fixture.Database.DataSource, holds, at.AddDays(3), TimeSpan.FromDays(1), HoldBook.MostAtOnce, Token)).Count);
            holds = await DueHoldStore.NextAsync(fixture.Database.DataSource, holds, Token);
        }

        Assert.Equal([0, 1, 0, 0, 0], due);
        Assert.Equal(HoldTurn.First, holds);
        Assert.Equal(HoldBook.MostAtOnce, (await DueHoldStore.DueAsync(
            fixture.Database.DataSource, holds, at.AddDays(30), TimeSpan.FromDays(1), HoldBook.MostAtOnce, Token)).Count);
    }

    private static IEnumerable<JsonNode> Nodes(JsonNode node) =>
        [node, .. node["Plans"]?.AsArray().SelectMany(child => Nodes(child!)) ?? []];
}
