using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Sandbox.Emulator.Users;
using KeycloakCreditBridge.Tests.Running;
using KeycloakCreditBridge.Tests.Sandbox.Keycloak;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Contract.Ways.Directories;

[StartsPrograms]
public sealed class DirectoryTests(KeycloakFixture servers, PostgresFixture postgres, LdapFixture directory) : IClassFixture<LdapFixture>
{
    private const string Setting = "Keycloak:Realms:0:FederatedUsers";

    private static readonly string[] Names = ["ldap-ana", "ldap-ben", "ldap-cara"];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory, EveryKeycloak]
    public Task Users_of_a_directory_with_import_have_accounts_as_soon_as_a_reconciliation_lists_them(KeycloakKind kind) =>
        OpenAllAsync(kind, import: true);

    [Theory, EveryKeycloak]
    public Task Users_of_a_directory_without_import_have_accounts_as_soon_as_a_reconciliation_lists_them(KeycloakKind kind) =>
        OpenAllAsync(kind, import: false);

    [Theory, EveryKeycloak]
    public Task With_OnFirstLogin_no_user_of_a_directory_is_imported_or_has_an_account_before_the_first_login(KeycloakKind kind) =>
        OpenAtLoginAsync(kind, import: true);

    [Theory, EveryKeycloak]
    public Task With_OnFirstLogin_no_user_of_a_directory_without_import_has_an_account_before_the_first_login(KeycloakKind kind) =>
        OpenAtLoginAsync(kind, import: false);

    [Theory, EveryKeycloak]
    public async Task A_user_removed_from_the_directory_is_closed_by_a_complete_run(KeycloakKind kind)
    {
        await using var fixture = await ContractFixture.CreateAsync(servers, postgres, kind, EventDelivery.Polling);
        var ids = await AddUsersAsync(fixture, import: true);
        await fixture.StartBridgeAsync();
        var id = ids is null ? await fixture.IdOfAsync(Names[0]) : ids[0];
        await fixture.Database.AssertOpenedAsync(id, HintSources.Reconciliation);

        if (ids is null)
            await directory.RemoveAsync(fixture.Realm, Names[0]);
        else
            fixture.Emulated!.RemoveUser(id);
        await fixture.ReconcileAsync();
        await fixture.Database.WaitForStatusAsync(id, "closed");
    }

    private async Task OpenAllAsync(KeycloakKind kind, bool import)
    {
        await using var fixture = await ContractFixture.CreateAsync(servers, postgres, kind, EventDelivery.Polling);
        await fixture.StartBridgeAsync();
        await AddUsersAsync(fixture, import);
        await fixture.ReconcileAsync();
        foreach (var name in Names)
        {
            var id = await fixture.IdOfAsync(name);
            Assert.Equal(!import, id.StartsWith("f:", StringComparison.Ordinal));
            await fixture.Database.AssertOpenedAsync(id, HintSources.Reconciliation);
        }
    }

    private async Task OpenAtLoginAsync(KeycloakKind kind, bool import)
    {
        await using var fixture = await ContractFixture.CreateAsync(servers, postgres, kind, EventDelivery.Polling);
        await fixture.StartBridgeAsync((Setting, "OnFirstLogin"));
        var ids = await AddUsersAsync(fixture, import);
        await fixture.Admin.CreateUserAsync(fixture.Realm, ContractFixture.Named("verified"), Token, new() { ["emailVerified"] = true });
        await fixture.CreateKnownAsync("local");
        await AssertAccountsAsync(fixture, 2, keycloakHas: 2);

        if (ids is null)
            await fixture.Browser.LoginAsync(fixture.Realm, Names[1], ContractFixture.Named(Names[1]).Password, Token);
        else
            await fixture.Emulated!.LoginFromDirectoryAsync(ids[1]);
        await Eventually.TrueAsync(
            () => fixture.Database.ScalarAsync<bool>("select count(*) = 3 from user_credits"), "a user that signs in has an account");
        await AssertAccountsAsync(fixture, 3, keycloakHas: import ? 3 : 2);
        await fixture.Database.AssertOpenedAsync(ids is null ? await fixture.IdOfAsync(Names[1]) : ids[1], HintSources.Poll);
    }

    // A count imports no user, and omits users that Keycloak does not store.
    private static async Task AssertAccountsAsync(ContractFixture fixture, int expected, int keycloakHas)
    {
        await fixture.ReconcileAsync();
        Assert.Equal(expected, await fixture.Database.ScalarAsync<int>("select count(*)::int from user_credits"));
        Assert.Equal(keycloakHas, await fixture.Admin.CountUsersAsync(fixture.Realm, Token));
    }

    // Returns the ids where they are known beforehand.
    private async Task<string[]?> AddUsersAsync(ContractFixture fixture, bool import)
    {
        if (fixture.Emulated is { } realm)
        {
            EmulatedUser[] users = [.. Names.Select(name =>
                new EmulatedUser(
                    import ? EmulatedUser.NewId() : $"f:tXsHuH96SnGUcvZGn5Zi3A:{name}", name) { Email = $"{name}@example.com" })];
            foreach (var user in users)
                realm.AddToDirectory(user);
            return [.. users.Select(user => user.Id)];
        }

        await directory.AddAsync(fixture.Realm, Names);
        await fixture.Features.AddDirectoryAsync(directory.Url, LdapFixture.UsersOf(fixture.Realm), import, Token);
        return null;
    }
}
