using System.Text.Json;
using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Sandbox.Emulator.Users;
using KeycloakCreditBridge.Sandbox.Processes;
using KeycloakCreditBridge.Tests.Reconciliation;
using KeycloakCreditBridge.Tests.Running;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Cli.Account;

[StartsPrograms]
public sealed class AccountCommandTests(PostgresFixture postgres)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("id-of-ana")]
    [InlineData("ana")]
    [InlineData("ANA@example.com")]
    public async Task An_account_is_found_by_id_user_name_and_address(string named)
    {
        await using var bundle = await PrepareAsync();

        var (exitCode, output, error) = await ShowAsync(bundle, named);

        Assert.Equal((0, ""), (exitCode, error));
        foreach (var said in new[]
        {
            "id-of-ana in realm demo\n", "Opened by reconciliation at ", "active, 5.00 left of 5.00, tier trial", "  hint       none",
            "ana, ana@example.com, enabled", "purchase 5.00, then 5.00, signup, initial_allocation",
            "credit.create success, by reconciliation",
        })
        {
            Assert.Contains(said, output, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_held_account_and_one_that_differs_from_Keycloak_say_why()
    {
        await using var bundle = await PrepareAsync();
        bundle.Realm.ChangeUser("id-of-ana", user => user with { Enabled = false });

        Assert.Contains(
            "disabled in Keycloak now. To re-evaluate: `backfill --realm demo --user id-of-ana`", (await ShowAsync(bundle, "ana")).Output,
            StringComparison.Ordinal);
        await bundle.RunAsync(ReconciliationFixture.AllUsers);
        Assert.Contains(
            "Held because the user is disabled in Keycloak, since ", (await ShowAsync(bundle, "ana")).Output, StringComparison.Ordinal);
        bundle.Realm.RemoveUser("id-of-ana");
        Assert.Contains("Keycloak does not know the user now", (await ShowAsync(bundle, "id-of-ana")).Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_grant_that_waits_for_a_verified_address_is_shown_with_what_it_waits_for()
    {
        await using var bundle = await PrepareAsync();
        await bundle.Database.ExecuteAsync("update user_credits set grant_pending = true");
        bundle.Realm.ChangeUser("id-of-ana", user => user with { EmailVerified = false });

        var output = (await ShowAsync(bundle, "ana")).Output;
        Assert.Contains("Its opening grant waits until Keycloak says that the address is verified.", output, StringComparison.Ordinal);
        Assert.Contains(", opening grant waits for a verified address\n", output, StringComparison.Ordinal);

        bundle.Realm.ChangeUser("id-of-ana", user => user with { EmailVerified = true });
        Assert.Contains(
            "although Keycloak says that the address is verified: it follows at the next evaluation within the rules of eligibility. "
                + "To re-evaluate: `backfill --realm demo --user id-of-ana`",
            (await ShowAsync(bundle, "ana")).Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_user_without_an_account_is_shown_with_the_reason()
    {
        await using var bundle = await PrepareAsync();
        bundle.Realm.AddUser(new EmulatedUser("new", "newcomer"));
        await bundle.Database.ExecuteAsync(
            """
            insert into keycloak_users (realm, keycloak_id, user_state, reason, checked_at)
            values ('demo', 'robot', 'service_account', null, now()), ('demo', 'unproved', 'excluded', 'email_not_verified', now()),
                ('demo', 'copy', 'excluded', 'account_id_taken', now());
            insert into user_credits (user_id, realm, keycloak_id) values ('copy', 'other', 'copy');
            """);
        var (store, now) = (new HintStore(bundle.Database.DataSource), TimeProvider.System.GetUtcNow());
        await store.AddAsync([new UserHint("demo", "stuck", HintKind.Changed, "REGISTER", HintSources.Webhook)], now, now, null, Token);
        var hint = Assert.Single(await store.ClaimAsync(1, now, now, null, Token));
        await store.PostponeAsync([new PostponedHint(hint, now, 10, Dead: true, "bad\nluck")], Token);

        Assert.Contains("no hint of the user arrived", (await ShowAsync(bundle, "newcomer")).Output, StringComparison.Ordinal);
        Assert.Contains("the e-mail address is not verified", (await ShowAsync(bundle, "unproved")).Output, StringComparison.Ordinal);
        Assert.Contains(
            "the account of that id belongs to another user", (await ShowAsync(bundle, "copy")).Output, StringComparison.Ordinal);
        Assert.Contains("service account of a client", (await ShowAsync(bundle, "robot")).Output, StringComparison.Ordinal);
        Assert.Contains(@"dead after 10 tries (bad\u{A}luck)", (await ShowAsync(bundle, "stuck")).Output, StringComparison.Ordinal);
        var unknown = await ShowAsync(bundle, "unknown");
        Assert.Equal((1, ""), (unknown.ExitCode, unknown.Output));
        Assert.Contains("unknown", unknown.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_Keycloak_the_records_are_shown_and_without_the_database_it_is_exit_code_3()
    {
        await using var bundle = await PrepareAsync();
        var settings = BridgeFixture.Settings(bundle.Database.ConnectionString, new Uri($"http://127.0.0.1:{FreePort.Next()}"));

        var (exitCode, output, error) = await CommandProcess.RunAsync(settings, "account", "show", "id-of-ana", "--json");
        settings["Storage:ConnectionString"] = $"Host=127.0.0.1;Port={FreePort.Next()};Username=x;Database=y";
        var away = await CommandProcess.RunAsync(settings, "account", "show", "id-of-ana");

        Assert.Equal((0, 3), (exitCode, away.ExitCode));
        Assert.Contains("Keycloak cannot be reached", error, StringComparison.Ordinal);
        using var json = JsonDocument.Parse(output);
        Assert.Equal("active", json.RootElement.GetProperty("account").GetProperty("status").GetString());
        Assert.Contains("Keycloak could not be read.", json.RootElement.GetProperty("why").GetString(), StringComparison.Ordinal);
    }

    private async Task<ReconciliationFixture> PrepareAsync()
    {
        var bundle = await ReconciliationFixture.StartAsync(postgres);
        bundle.Realm.AddUser(new EmulatedUser("id-of-ana", "ana") { Email = "ana@example.com" });
        await bundle.RunAsync(ReconciliationFixture.AllUsers);
        return bundle;
    }

    private static Task<(int ExitCode, string Output, string Error)> ShowAsync(ReconciliationFixture bundle, string user) =>
        CommandProcess.RunAsync(
            BridgeFixture.Settings(bundle.Database.ConnectionString, bundle.Keycloak.Server.Url), "account", "show", user);
}
