using KeycloakCreditBridge.Reconciliation;
using KeycloakCreditBridge.Sandbox.Emulator;
using KeycloakCreditBridge.Tests.Sandbox;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Reconciliation;

/// <summary>Lists that fail at one user for ever, that hide somebody, and that are asked for at the same time.</summary>
public sealed class FaultyListingTests(PostgresServer postgres)
{
    private const string UsersPath = $"/{EmulatorDriver.Users}";
    private const string List = "GET /admin/realms/{realm}/users";
    private const string Count = "GET /admin/realms/{realm}/users/count";
    private const long LongAgo = 1_500_000_000_000;

    [Theory]
    [InlineData("Windows")]
    [InlineData("Counts")]
    public async Task A_window_that_fails_for_ever_hides_nobody_behind_it_and_is_read_once_it_can_be(string mode)
    {
        await using var bundle = await ReconcileBundle.StartAsync(postgres, users: 300);
        await bundle.RunAsync(ReconcileBundle.By(ReconcileMode.Windows));
        // None makes up for another in a half that counts compare.
        foreach (var gone in (await bundle.PeopleAsync())[200..202])
            bundle.Realm.RemoveUser(gone);
        bundle.Realm.AddUser(new EmulatedUser("poison", "poison") { CreatedTimestamp = LongAgo });
        foreach (var id in (string[])["newest", "newest-2", "newest-3", "newest-4"])
            bundle.Realm.AddUser(new EmulatedUser(id, id) { CreatedTimestamp = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() });
        bundle.Keycloak.Server.Misbehaviour.Refuse(UsersPath, "poison", 400);

        var failed = await bundle.RunAsync(ReconcileBundle.By(mode));

        Assert.Equal((ReconcileStatus.Failed, 0L), (failed.Status, failed.Counts.Closed));
        Assert.Contains("window", failed.Reason, StringComparison.Ordinal);
        Assert.Contains("newest", await bundle.AccountsAsync());

        bundle.Keycloak.Server.Misbehaviour.Reset();
        var next = await bundle.RunAsync(ReconcileBundle.By(mode));

        Assert.Equal((ReconcileStatus.Done, 2L), (next.Status, next.Counts.Closed));
        Assert.Empty((await bundle.PeopleAsync()).Except(await bundle.AccountsAsync()));
        if (mode == "Windows")
            Assert.Equal((failed.RunId, 303L), (next.RunId, next.Counts.Seen));
    }
}
