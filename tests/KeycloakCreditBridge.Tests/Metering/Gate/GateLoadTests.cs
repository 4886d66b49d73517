using Dapper;
using KeycloakCreditBridge.Metering.Gate;
using KeycloakCreditBridge.Sandbox.Emulator.Users;
using KeycloakCreditBridge.Tests.Credits;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.Extensions.DependencyInjection;
using static KeycloakCreditBridge.Tests.Metering.MeteringFixture;

namespace KeycloakCreditBridge.Tests.Metering.Gate;

/// <summary>What the gate asks of Keycloak while many calls come.</summary>
public sealed class GateLoadTests(PostgresFixture postgres)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_database_that_takes_no_hint_makes_no_call_ask_the_realms_again()
    {
        await using var fixture = await StartAsync(
            postgres, ("Metering:Gate:Undecided", "Refuse"), ("Metering:Gate:Budget", "00:00:02"));
        await using var connection = await fixture.Database.DataSource.OpenConnectionAsync(Token);
        await using var held = await connection.BeginTransactionAsync(Token);
        await connection.ExecuteAsync("lock table user_hints in exclusive mode");
        fixture.Keycloak.Server.Faults.Fail("*/users/*", 1_000, 404);
        var id = EmulatedUser.NewId();
        var before = fixture.Keycloak.Server.Requests[CreditsFixture.UserRead];

        foreach (var _ in Enumerable.Range(0, 10))
            Assert.Equal("BLOCKED", (string?)(await fixture.AskAsync(id))["action"]);

        // A slow machine may need longer than the moment lasts.
        Assert.InRange(fixture.Keycloak.Server.Requests[CreditsFixture.UserRead] - before, 1, 4);
        await held.RollbackAsync(Token);
    }

    [Fact]
    public async Task Calls_of_one_new_user_at_the_same_time_ask_Keycloak_once()
    {
        await using var fixture = await StartAsync(postgres);
        var id = EmulatedUser.NewId();
        var release = new TaskCompletionSource();
        fixture.Keycloak.Server.Faults.Hold("*/users/*", 1, release.Task);
        var before = fixture.Keycloak.Server.Requests[CreditsFixture.UserRead];

        var asked = Enumerable.Range(0, 20).Select(_ => fixture.AskAsync(id)).ToList();
        await Eventually.TrueAsync(() => fixture.Keycloak.Server.Requests[CreditsFixture.UserRead] > before, "Keycloak is asked");
        // What is asked now joins, as what was asked before.
        asked.AddRange(Enumerable.Range(0, 20).Select(_ => fixture.AskAsync(id)));
        release.SetResult();

        foreach (var answer in await Task.WhenAll(asked))
            Assert.StartsWith("You have no credit account.", (string?)answer["blocked_reason"], StringComparison.Ordinal);
        // A call that comes while the answer does may ask again.
        Assert.InRange(fixture.Keycloak.Server.Requests[CreditsFixture.UserRead] - before, 1, 3);
    }

    [Fact]
    public async Task However_many_new_users_call_at_once_Keycloak_gets_64_requests_at_a_time()
    {
        await using var fixture = await StartAsync(postgres, ("Metering:Gate:Undecided", "Refuse"));
        var known = await fixture.AddUserAsync("ana");
        fixture.Keycloak.Server.Faults.Hang("*/users/*", 1_000);
        var before = fixture.Keycloak.Server.Requests[CreditsFixture.UserRead];
        var gate = fixture.Bridge.Services.GetRequiredService<CreditGate>();
        using var leave = CancellationTokenSource.CreateLinkedTokenSource(Token);

        var asked = Enumerable.Range(0, 150).Select(_ => gate.DecideAsync(EmulatedUser.NewId(), leave.Token)).ToList();
        await Eventually.TrueAsync(() => fixture.Keycloak.Server.Requests[CreditsFixture.UserRead] - before >= 64, "Keycloak is asked");
        // The look-up of this account comes after those of the calls before it.
        Assert.Equal("NONE", (string?)(await fixture.AskAsync(known))["action"]);

        // The worker reads the user of the account too.
        Assert.InRange(fixture.Keycloak.Server.Requests[CreditsFixture.UserRead] - before, 64, 66);
        await leave.CancelAsync();
        foreach (var call in asked)
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => call);
    }
}
