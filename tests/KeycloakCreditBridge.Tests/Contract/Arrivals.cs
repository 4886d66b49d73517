using KeycloakCreditBridge.Sandbox.Emulator.Users;

namespace KeycloakCreditBridge.Tests.Contract;

/// <summary>Ways in which users of a realm appear and are locked out.</summary>
internal static class Arrivals
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>Registers a user by the form and returns the id.</summary>
    public static async Task<string> RegisterAsync(this ContractFixture fixture, string name)
    {
        await fixture.Browser.RegisterAsync(fixture.Realm, ContractFixture.Named(name), Token);
        return await fixture.IdOfAsync(name);
    }

    /// <summary>Adds a user to the emulator's realm, raises these events for it, and returns the id.</summary>
    public static async Task<string> EmulateArrivalAsync(this ContractFixture fixture, string name, params string[] events)
    {
        var id = EmulatedUser.NewId();
        fixture.Emulated!.AddUser(new EmulatedUser(id, name) { Email = ContractFixture.Named(name).Email });
        foreach (var type in events)
            await fixture.Emulated.RaiseAsync(type, id);
        return id;
    }

    /// <summary>Imports users into the running realm and returns their ids.</summary>
    /// <param name="created">When each was created, says the file; null when it does not say.</param>
    public static async Task<string[]> ImportUsersAsync(this ContractFixture fixture, long? created, params string[] names)
    {
        await fixture.Admin.PartialImportAsync(fixture.Realm, names.Select(ContractFixture.Named), Token, created);
        return await Task.WhenAll(names.Select(fixture.IdOfAsync));
    }

    /// <summary>Lets a user of another realm sign in for the first time and returns the id that this gives here.</summary>
    public static async Task<string> ArriveThroughBrokerAsync(this ContractFixture fixture, string name)
    {
        var partner = await BrokerRealm.CreateAsync(fixture, name);
        await partner.LoginAsync();
        return await fixture.IdOfAsync(name);
    }

    /// <summary>Sends wrong passwords until a realm with permanent lockout disables the user.</summary>
    public static async Task LockOutAsync(this ContractFixture fixture, string id, string name)
    {
        if (fixture.Emulated is { } realm)
        {
            realm.ChangeUser(id, user => user with { Enabled = false });
            await realm.RaiseAsync("USER_DISABLED_BY_PERMANENT_LOCKOUT", id);
            return;
        }

        // Keycloak counts failures on a thread of its own: a refusal does not say that it was counted.
        using var http = new HttpClient { BaseAddress = fixture.KeycloakUrl };
        await Eventually.TrueAsync(
            async () =>
            {
                using var form = new FormUrlEncodedContent(
                    [new("grant_type", "password"), new("client_id", "admin-cli"), new("username", name), new("password", "wrong")]);
                using var refusal = await http.PostAsync(
                    new Uri($"realms/{fixture.Realm}/protocol/openid-connect/token", UriKind.Relative), form, Token);
                Assert.False(refusal.IsSuccessStatusCode);
                return (await fixture.Admin.FindUserAsync(fixture.Realm, name, Token))!["enabled"]!.GetValue<bool>() is false;
            },
            "Keycloak locked the user out");
    }
}
