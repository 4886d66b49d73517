using System.Text.Json.Nodes;
using KeycloakCreditBridge.Tests.Running;
using KeycloakCreditBridge.Tests.Sandbox.Emulator;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Cli.Referrals;

[StartsPrograms]
public sealed class ReferralsCommandTests(PostgresFixture postgres)
{
    private const string Id = "6f0e0d0c-0b0a-4909-8807-060504030201";

    private static readonly Uri Keycloak = new("http://127.0.0.1:9/");

    [Fact]
    public async Task Referrals_are_listed_and_shown_and_one_is_canceled_once()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await database.ExecuteAsync(
            $"""
            insert into user_credits (user_id, realm, keycloak_id, credits_remaining, credits_allocated, tier, created_at, updated_at)
            select id, '{EmulatorFixture.Realm}', id, 0, 0, 'trial', now(), now() from unnest(array['ana', 'bob']) as u (id);
            insert into referrals (id, referrer, referee, state, touched_at, evaluated_at)
            values ('{Id}', 'ana', 'bob', 'touched', '2026-11-30 12:00:00Z', now())
            """);
        var settings = BridgeFixture.Settings(database.ConnectionString, Keycloak);

        var list = await CommandProcess.RunAsync(settings, "referrals", "list", "--state", "touched");
        Assert.Equal((0, ""), (list.ExitCode, list.Error));
        Assert.Matches($"^SINCE +STATE +WHY .*\n2026-11-30 12:00:00Z +touched +.*ana +- +bob +- +never +{Id}\n$", list.Output);
        var none = await CommandProcess.RunAsync(settings, "referrals", "list", "--account", "eve");
        Assert.Equal("There are no such referrals.\n", none.Output);
        var shown = JsonNode.Parse((await CommandProcess.RunAsync(settings, "referrals", "show", Id, "--json")).Output)!;
        Assert.Equal(("ana", "bob", "touched"), ((string)shown["referrer"]!, (string)shown["referee"]!, (string)shown["state"]!));

        string[] reverse = ["referrals", "reverse", Id, "--reason", "fraud"];
        var done = await CommandProcess.RunAsync(settings, reverse);
        Assert.Equal(
            (0, $"Referral {Id} is canceled: took 0.00 from ana and 0.00 from bob.\n", ""), (done.ExitCode, done.Output, done.Error));
        var again = await CommandProcess.RunAsync(settings, reverse);
        Assert.Equal(
            (1, $"Referral {Id} is canceled: it paid nothing, and there is nothing to take back.\n"), (again.ExitCode, again.Error));
        Assert.Equal(
            ["ana fraud command", "bob fraud command"], await database.QueryAsync<string>(
                "select user_id || ' ' || (metadata ->> 'note') || ' ' || (metadata ->> 'by') from audit_logs order by 1"));
        Assert.Equal(1, (await CommandProcess.RunAsync(settings, "referrals", "show", $"{Guid.Empty}")).ExitCode);
        Assert.Equal(2, (await CommandProcess.RunAsync(settings, "referrals", "show", "7")).ExitCode);
    }
}
