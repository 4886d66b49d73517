using System.Text.Json;
using System.Text.Json.Nodes;
using KeycloakCreditBridge.Tests.Cli;
using KeycloakCreditBridge.Tests.Contract;
using KeycloakCreditBridge.Tests.Running;
using KeycloakCreditBridge.Tests.Sandbox.Keycloak;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Adoption;

/// <summary>A whole installation moves over, as an operator moves it.</summary>
public sealed class AdoptionContractTests(KeycloakFixture servers, PostgresFixture postgres)
{
    [StartsPrograms, Theory, EveryKeycloak]
    public async Task An_installation_is_adopted_and_no_user_is_granted_again(KeycloakKind kind)
    {
        await using var fixture = await ContractFixture.CreateAsync(servers, postgres, kind, EventDelivery.Nothing);
        await fixture.Database.ExecuteAsync(
            $"drop schema public cascade; create schema public; {ExistingInstallation.Tables(notifications: true)}");
        var (raced, twin) = (await AddUserAsync(fixture, "raced"), await AddUserAsync(fixture, "twin"));
        var (bare, off) = (await AddUserAsync(fixture, "bare"), await AddUserAsync(fixture, "off"));
        var fresh = await AddUserAsync(fixture, "fresh");
        await fixture.Database.OpenAsync(raced, 5m, openings: 10);
        await fixture.Database.OpenAsync("Twin@example.com", 5m);
        await fixture.Database.OpenAsync(twin, 4m, used: 1m);
        await fixture.Database.OpenAsync(bare, 3.2m, openings: 0);
        await fixture.Database.OpenAsync("off@example.com", 3.5m, used: 1m);
        await fixture.Database.OpenAsync("left@example.com", 5m);
        var settings = fixture.Settings.ToDictionary(pair => pair.Key, pair => (string?)pair.Value, StringComparer.OrdinalIgnoreCase);

        Assert.Equal(0, (await CommandProcess.RunAsync(settings, "migrate")).ExitCode);
        var plan = await CommandProcess.RunAsync(settings, "adopt", "--plan", "--json");
        var apply = await CommandProcess.RunAsync(settings, "adopt", "--apply");

        Assert.Equal((1, 0), (plan.ExitCode, apply.ExitCode));
        Assert.Equal(
            [
                "address_ids 3", "duplicates 1", "mismatched 2", "renamed 1", "repeated_openings 1", "taken_back 1", "unmarked 4",
                "unowned 1",
                "uuid_ids 3", "without_ledger 1",
            ],
            Findings(plan.Output));
        await fixture.StartBridgeAsync();
        await Eventually.TrueAsync(
            () => fixture.Database.ScalarAsync<bool>("select not exists (select from leases where name like 'reconcile:%')"),
            "the first reconciliation has let go");
        await fixture.ReconcileAsync();
        string[] expected =
        [
            $"{raced} 5.00 1", $"{twin} 4.00 1", $"{bare} 3.20 1", $"{off} 3.50 1", "left@example.com 5.00 1", $"{fresh} 5.00 1",
        ];
        Assert.Equal(expected.Order(StringComparer.Ordinal), await fixture.Database.QueryAsync<string>(
            """
            select concat_ws(' ', user_id, credits_remaining::numeric(9, 2),
                (select count(*) from credit_transactions t where t.user_id = c.user_id and t.grant_key = 'signup'))
            from user_credits c order by user_id collate "C"
            """));
        Assert.Equal([fresh], await fixture.Database.QueryAsync<string>("select user_id from audit_logs where action = 'credit.create'"));
        Assert.Empty(await fixture.Database.QueryAsync<string>(AdoptionFixture.BrokenBooksSql));
        Assert.Equal(0, (await CommandProcess.RunAsync(settings, "adopt", "--plan")).ExitCode);
    }

    private static async Task<string> AddUserAsync(ContractFixture fixture, string name)
    {
        var id = await fixture.CreateUserAsync(name);
        await fixture.UpdateUserAsync(id, new JsonObject { ["emailVerified"] = true });
        return id;
    }

    private static IEnumerable<string> Findings(string output)
    {
        using var report = JsonDocument.Parse(output);
        return [.. report.RootElement.GetProperty("findings").EnumerateArray()
            .Select(finding => $"{finding.GetProperty("name").GetString()} {finding.GetProperty("count").GetInt64()}")
            .Order(StringComparer.Ordinal)];
    }
}
