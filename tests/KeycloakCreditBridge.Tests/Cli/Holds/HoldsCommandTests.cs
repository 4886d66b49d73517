using System.Text.Json.Nodes;
using KeycloakCreditBridge.Tests.Running;
using KeycloakCreditBridge.Tests.Sandbox.Emulator;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Cli.Holds;

[StartsPrograms]
public sealed class HoldsCommandTests(PostgresFixture postgres)
{
    private const string Ana = "6f1c2a34-5b6d-4e7f-8091-a2b3c4d5e6f7";
    private const string Bob = "7f1c2a34-5b6d-4e7f-8091-a2b3c4d5e6f7";

    private const string Signals =
        """{"signal":"same_inbox","score":40},{"signal":"network_hour","score":0,"missing":"no_event"}""";

    private const string HeldSql =
        $"""
        insert into user_credits (user_id, realm, keycloak_id, credits_remaining, credits_allocated, tier, created_at, updated_at)
        select id, '{EmulatorFixture.Realm}', id, 0, 0, 'trial', now(), now() from unnest(array['ana', 'bob', 'cleo']) as u (id);
        insert into keycloak_users (realm, keycloak_id, account_id, user_state, created_at, checked_at)
        select '{EmulatorFixture.Realm}', id, id, 'account', now(), now() from unnest(array['ana', 'bob', 'cleo']) as u (id);
        insert into grant_policies (realm, policy, activated_at) values ('{EmulatorFixture.Realm}', 'task:mfa', now());
        insert into grant_holds (id, user_id, grant_key, policy, credits, terms, score, signals, state, held_at, lapse_after, lapses_at)
        select u.id::uuid, u.name, 'task:mfa', 'task:mfa', 2, jsonb_build_object('source', 'webhook'), u.score,
            '[{Signals}]', 'held',
            '2026-11-30 12:00:00Z', interval '14 days', '2026-12-14 12:00:00Z'
        from (values ('{Ana}', 'ana', 40), ('{Bob}', 'bob', 45), (gen_random_uuid()::text, 'cleo', 90)) u (id, name, score)
        """;

    private static readonly Uri Keycloak = new("http://127.0.0.1:9/");

    [Fact]
    public async Task Holds_are_listed_shown_and_decided_each_once()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await database.ExecuteAsync(HeldSql);
        var settings = BridgeFixture.Settings(database.ConnectionString, Keycloak);

        var list = await RunAsync("list", "--state", "held", "--account", "ana");
        Assert.Equal((0, ""), (list.ExitCode, list.Error));
        Assert.Matches(
            $"^SINCE +STATE .*\n2026-11-30 12:00:00Z +held +ana +task:mfa +2.00 +40 +same_inbox +- +2026-12-14 .*{Ana}\n$", list.Output);
        var shown = await RunAsync("show", Ana);
        Assert.Contains("same_inbox: 40\nnetwork_hour: could not be asked (no_event)\n", shown.Output, StringComparison.Ordinal);

        Assert.Equal((0, $"Hold {Ana} is approved: 2.00 credits of ana.\n", ""), await RunAsync("approve", Ana, "--note", "colleagues"));
        var again = await RunAsync("reject", Ana, "--if-version", "1");
        Assert.Equal(
            (1, $"Hold {Ana} is approved: The hold was decided or reopened since: read it again.\n"), (again.ExitCode, again.Error));
        Assert.Equal(1, (await RunAsync("approve", $"{Guid.Empty}")).ExitCode);

        string[] many = ["reject", "--signal", "same_inbox", "--at-least", "45"];
        Assert.Equal((0, "These are 2 holds of 4.00 credits: --confirm 2 decides them.\n", ""), await RunAsync(many));
        Assert.Equal((1, "Nothing was decided: these are 2 holds.\n", ""), await RunAsync([.. many, "--confirm", "3"]));
        Assert.Equal((0, "2 holds are rejected, 0 wait on.\n", ""), await RunAsync([.. many, "--confirm", "2"]));
        var json = JsonNode.Parse((await RunAsync("show", Bob, "--json")).Output)!;
        Assert.Equal(("rejected", "command", 2), ((string?)json["state"], (string?)json["decidedBy"], (int)json["version"]!));
        Assert.Equal(
            ["ana 2.00 approved", "bob 0.00 rejected", "cleo 0.00 rejected"], await database.QueryAsync<string>(
                """
                select concat_ws(' ', c.user_id, c.credits_remaining::numeric(9, 2), h.state)
                from user_credits c join grant_holds h on h.user_id = c.user_id order by 1
                """));

        async Task<(int ExitCode, string Output, string Error)> RunAsync(params string[] arguments) =>
            await CommandProcess.RunAsync(settings, ["holds", .. arguments]);
    }
}
