using System.Net;
using System.Text.Json.Nodes;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Credits.Tasks;

/// <summary>The first usage that is charged earns a task.</summary>
public sealed class FirstUsageTests(PostgresFixture postgres)
{
    private static readonly (string, string?)[] Sheet =
        [("Grants:Tasks:first-call:Evidence:FirstUsage", "true"), ("Grants:Tasks:first-call:Credits", "2")];

    [Fact]
    public async Task The_first_usage_that_a_service_charges_pays_once()
    {
        await using var fixture = await CreditsFixture.StartAsync(postgres, Sheet);
        var user = await fixture.AddUserAsync();
        var service = fixture.TokenOf("crm", CreditsFixture.Service);
        await fixture.PostAsync(CreditsFixture.Deduct, service, Charge(user));
        await fixture.PostAsync(CreditsFixture.Deduct, service, Charge(user));
        await Eventually.TrueAsync(async () => await fixture.BalanceOfAsync(user) == 5m, "the task is paid");
        await fixture.HintsDoneAsync();
        Assert.Equal(5m, await fixture.BalanceOfAsync(user));
        Assert.Equal(0, await fixture.Database.ScalarAsync<long>("select count(*) from scheduled_evaluations"));
    }

    [Fact]
    public async Task Usage_that_the_user_reports_earns_nothing()
    {
        await using var fixture = await CreditsFixture.StartAsync(postgres, Sheet);
        var user = await fixture.AddUserAsync();
        var tracked = await fixture.PostAsync(
            CreditsFixture.Track, fixture.TokenOf(user), new JsonObject { ["service"] = "chat", ["model"] = "small", ["cost"] = 1 });
        Assert.Equal(HttpStatusCode.OK, tracked.Status);
        await fixture.PostAsync($"api/v1/admin/users/{user}/initialize", fixture.TokenOf("admin", CreditsFixture.Admin), []);
        Assert.Equal(4m, await fixture.BalanceOfAsync(user));

        await fixture.PostAsync(CreditsFixture.Deduct, fixture.TokenOf("crm", CreditsFixture.Service), Charge(user));
        await fixture.PostAsync($"api/v1/admin/users/{user}/initialize", fixture.TokenOf("admin", CreditsFixture.Admin), []);
        Assert.Equal(5m, await fixture.BalanceOfAsync(user));
    }

    [Fact]
    public async Task Without_a_task_a_charge_leaves_nothing_to_evaluate()
    {
        await using var fixture = await CreditsFixture.StartAsync(postgres);
        var user = await fixture.AddUserAsync();
        await fixture.PostAsync(CreditsFixture.Deduct, fixture.TokenOf("crm", CreditsFixture.Service), Charge(user));
        Assert.Equal(4m, await fixture.BalanceOfAsync(user));
        Assert.Equal(0, await fixture.Database.ScalarAsync<long>("select count(*) from scheduled_evaluations"));
    }

    private static JsonObject Charge(string user) => new() { ["user_id"] = user, ["amount"] = 1, ["service"] = "chat" };
}
