using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Sandbox.Emulator;
using KeycloakCreditBridge.Tests.Sandbox.Keycloak;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Contract.Ways.Outages;

/// <summary>Keycloak's clock is not the bridge's, and an event's time is not the time when it can be seen.</summary>
public sealed class ClockTests(KeycloakFixture servers, PostgresFixture postgres)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory, InlineData(-5), InlineData(5)]
    public async Task Polling_finds_users_of_a_Keycloak_whose_clock_is_minutes_off_and_then_corrected(int minutes)
    {
        await using var keycloak = await EmulatedKeycloak.StartAsync(new EmulatorOptions(), Token);
        keycloak.Faults.ClockOffset = TimeSpan.FromMinutes(minutes);
        // The administrator's token outlives the change of the clock; the bridge's need not.
        keycloak.TokenLifetime = TimeSpan.FromHours(1);
        await using var fixture = await ContractFixture.CreateAsync(keycloak, postgres, EventDelivery.Polling);
        keycloak.TokenLifetime = TimeSpan.FromMinutes(5);
        // A clock that is set back leaves new events behind the newest one seen, where only a sweep reads.
        await fixture.StartBridgeAsync(("Intake:Poll:SweepInterval", "00:00:01"));
        await FindAsync(fixture, "wrong");
        keycloak.Faults.ClockOffset = TimeSpan.Zero;
        await FindAsync(fixture, "mended");
    }

    [Theory, EveryKeycloak]
    public Task Polling_finds_users_of_a_Keycloak_whose_clock_is_five_minutes_ahead(KeycloakKind kind) =>
        FindBetweenClocksAsync(kind, TimeSpan.FromMinutes(-5));

    [Theory, EveryKeycloak]
    public Task Polling_finds_users_of_a_Keycloak_whose_clock_is_five_minutes_behind(KeycloakKind kind) =>
        FindBetweenClocksAsync(kind, TimeSpan.FromMinutes(5));

    [Fact]
    public async Task An_event_that_appears_four_minutes_after_its_time_is_found_by_the_next_sweep()
    {
        await using var keycloak = await EmulatedKeycloak.StartAsync(new EmulatorOptions(), Token);
        await using var fixture = await ContractFixture.CreateAsync(keycloak, postgres, EventDelivery.Polling);
        await fixture.StartBridgeAsync(("Intake:Poll:SweepInterval", "00:00:01"));
        await FindAsync(fixture, "in-time");
        var id = await fixture.EmulateArrivalAsync("late");
        await fixture.Emulated!.RaiseAsync("REGISTER", id, at: DateTimeOffset.UtcNow.AddMinutes(-4));
        await fixture.Database.AssertOpenedAsync(id, HintSources.Poll);
    }

    private static async Task<string> FindAsync(ContractFixture fixture, string name)
    {
        var id = await fixture.CreateUserAsync(name);
        await fixture.Database.AssertOpenedAsync(id, HintSources.Poll);
        return id;
    }

    // A real server keeps the machine's time, so it is the bridge that is off.
    private async Task FindBetweenClocksAsync(KeycloakKind kind, TimeSpan off)
    {
        await using var fixture = await ContractFixture.CreateAsync(servers, postgres, kind, EventDelivery.Polling);
        fixture.Clock = new WrongClock(off);
        // Without reconciliation: Quartz has a clock of its own.
        await fixture.LaunchBridgeAsync(("Reconciliation:Enabled", "false"));
        await Eventually.TrueAsync(fixture.IsReadyAsync, "the bridge is ready");
        await FindAsync(fixture, "first");
        await FindAsync(fixture, "second");
    }

    private sealed class WrongClock(TimeSpan off) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + off;
    }
}
