using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using KeycloakCreditBridge.Grants.Booking;
using KeycloakCreditBridge.Periods;
using KeycloakCreditBridge.Sandbox.Bridges;
using KeycloakCreditBridge.Tests.Credits;
using KeycloakCreditBridge.Tests.Grants.Booking;
using KeycloakCreditBridge.Tests.Running;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.Extensions.DependencyInjection;

namespace KeycloakCreditBridge.Tests.Faults.Commits;

/// <summary>
/// The real executable is killed after PostgreSQL has committed and before it hears so. What is done stays done, and its repetition does
/// nothing twice.
/// </summary>
[StartsPrograms]
public sealed class CommitKillTests(PostgresFixture postgres) : EndingAccount(postgres)
{
    private const string Key = "one";

    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_sweep_that_committed_is_not_repeated()
    {
        await EndAsync();
        await KillAfterCommitAsync("simple", null, null, ("Reconciliation:Enabled", "true"), ("Grants:SweepEvery", "00:00:01"));
        Assert.Equal("signup 5, expire:signup -5", await LedgerAsync());
        Assert.Equal(0, await Fixture.Bridge.Services.GetRequiredService<LotBooking>().SettleNextAsync(10, Token));
        Assert.Equal("0.000000", await BalanceAsync());
        Assert.Equal(1, await AuditedAsync("credit.expired"));
    }

    [Fact]
    public async Task A_void_that_committed_is_refused_the_second_time()
    {
        const string path = "api/v1/credits/grants/signup/void";
        JsonObject Order() => new() { ["user_id"] = Id, ["reason"] = "test" };
        await KillAfterCommitAsync("void", path, Order());
        Assert.Equal(HttpStatusCode.Conflict, (await Fixture.PostAsync(path, Admin, Order())).Status);
        Assert.Equal("signup 5, void:signup -5", await LedgerAsync());
        Assert.Equal(1, await AuditedAsync("credit.void"));
    }

    [Fact]
    public async Task A_refund_that_committed_is_answered_and_not_given_again()
    {
        var usage = await UsageAsync(5);
        await EndAsync();
        await KillAfterCommitAsync(
            "refund", CreditsFixture.Refund,
            new JsonObject { ["user_id"] = Id, ["amount"] = 5, ["reason"] = "sorry", ["refunds"] = usage });
        var refund = await RefundAsync(5, usage, Key);
        Assert.Equal((HttpStatusCode.OK, "0.000000"), (refund.Status, refund["balance"]));
        Assert.Equal("signup 5, usage -5, refund 5, expire:signup -5", await LedgerAsync());
    }

    [Fact]
    public async Task A_period_that_committed_is_renewed_once()
    {
        await UsageAsync(2);
        await Fixture.Database.ExecuteAsync(
            "update user_credits set created_at = now() - interval '40 days', last_reset = now() - interval '1 minute'");
        await KillAfterCommitAsync(
            "period", null, null, ("Reconciliation:Enabled", "true"), ("Periods:Enabled", "true"), ("Periods:Cron", "* * * * * ?"));
        var after = await LedgerAsync();
        Assert.Matches("^signup 5, usage -2, forfeit:[0-9-]+ -3, reset:[0-9-]+ 5$", after);
        await Fixture.Bridge.Services.GetRequiredService<PeriodReset>().RunAsync(Token);
        Assert.Equal(after, await LedgerAsync());
        Assert.Equal("5.000000", await BalanceAsync());
    }

    // A replica of its own does it, in a request or by its schedule.
    private async Task KillAfterCommitAsync(string step, string? path, JsonObject? body, params (string Key, string Value)[] more)
    {
        await using var trap = new CommitTrap(Fixture.Database.ConnectionString, KillPoint.Statements[step]);
        var settings = BridgeFixture.Settings(trap.ConnectionString, Fixture.Keycloak.Url)
            .ToDictionary(setting => setting.Key, setting => setting.Value ?? "", StringComparer.Ordinal);
        foreach (var (key, value) in more)
            settings[key] = value;
        var url = FaultFixture.NewUrl();
        settings["Urls"] = url.ToString();
        using var http = new HttpClient { BaseAddress = url };
        http.DefaultRequestHeaders.Add("Authorization", $"Bearer {Admin}");
        http.DefaultRequestHeaders.Add("Idempotency-Key", Key);
        await using var killed = path is null
            ? BridgeProcess.Launch(url, settings)
            : await BridgeProcess.StartAsync(url, settings);
        var killing = KillAsync();
        if (path is not null)
            await Assert.ThrowsAsync<HttpRequestException>(() => http.PostAsJsonAsync(path, body, Token));
        await killing;

        async Task KillAsync()
        {
            await trap.Sprung.WaitAsync(Patience, Token);
            await killed.KillAsync();
        }
    }

    private Task<int> AuditedAsync(string action) => Fixture.Database.ScalarAsync<int>(
        "select count(*)::int from audit_logs where action = @action", new { action });
}
