using KeycloakCreditBridge.Sandbox.Emulator.Users;
using KeycloakCreditBridge.Tests.Reconciliation;
using KeycloakCreditBridge.Tests.Running;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Cli.Claims;

/// <summary>`claims forget` with the real executable.</summary>
[StartsPrograms]
public sealed class ClaimsCommandTests(PostgresFixture postgres)
{
    [Fact]
    public async Task An_address_is_forgotten_with_its_inbox_and_another_account_earns_again()
    {
        await using var bundle = await ReconciliationFixture.StartAsync(postgres);
        bundle.Realm.AddUser(new EmulatedUser("ana", "ana") { Email = "a.na@gmail.com", EmailVerified = true });
        await RunAsync(bundle, "Inbox", "reconcile");
        bundle.Realm.AddUser(new EmulatedUser("bob", "bob") { Email = "ana@gmail.com", EmailVerified = true });
        await RunAsync(bundle, "Inbox", "reconcile");
        Assert.Equal(
            (0, "Forgot 2 claims: email welcome, inbox welcome.\n", ""),
            await RunAsync(bundle, "Inbox", "claims", "forget", "a.na@gmail.com"));
        Assert.Equal(
            (0, "{\"claims\":0,\"policies\":[]}\n", ""), await RunAsync(bundle, "Inbox", "claims", "forget", "a.na@gmail.com", "--json"));
        bundle.Realm.AddUser(new EmulatedUser("cem", "cem") { Email = "an.a@gmail.com", EmailVerified = true });
        await RunAsync(bundle, "Inbox", "reconcile");
        Assert.Equal(
            "ana 5, bob 0, cem 5",
            await bundle.Database.ScalarAsync<string>(
                "select string_agg(user_id || ' ' || credits_remaining::integer, ', ' order by user_id) from user_credits"));
    }

    [Theory]
    [InlineData("User", "ana@example.com", "SignupGrant:EmailKey is empty: no address is remembered.")]
    [InlineData("Email", "ana", "ADDRESS is no e-mail address")]
    public async Task What_cannot_be_forgotten_is_wrong_usage(string once, string address, string problem)
    {
        await using var bundle = await ReconciliationFixture.StartAsync(postgres);
        var refused = await RunAsync(bundle, once, "claims", "forget", address);
        Assert.Equal((2, ""), (refused.ExitCode, refused.Output));
        Assert.Contains(problem, refused.Error, StringComparison.Ordinal);
    }

    private static Task<(int ExitCode, string Output, string Error)> RunAsync(
        ReconciliationFixture bundle, string once, params string[] arguments)
    {
        var settings = BridgeFixture.Settings(bundle.Database.ConnectionString, bundle.Keycloak.Server.Url);
        settings["Provisioning:SignupGrant:OncePer"] = once;
        settings["Provisioning:SignupGrant:EmailKey"] = once == "User" ? "" : new string('k', 32);
        return CommandProcess.RunAsync(settings, arguments);
    }
}
