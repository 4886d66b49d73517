namespace KeycloakCreditBridge.Tests.Contract;

/// <summary>Another realm of the same server as identity provider of a scene's realm, with one user in it.</summary>
internal sealed class BrokerRealm
{
    private readonly ContractFixture _scene;
    private readonly string _name;
    private readonly string _realm;

    private BrokerRealm(ContractFixture scene, string name) => (_scene, _name, _realm) = (scene, name, $"{scene.Realm}-{name}");

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private string Alias => $"broker-{_name}";

    /// <param name="scene">Where the user will arrive.</param>
    /// <param name="name">The user with a password at the broker.</param>
    /// <param name="syncMode">IMPORT takes the user's data at the first login only, FORCE at each.</param>
    public static async Task<BrokerRealm> CreateAsync(ContractFixture scene, string name, string syncMode = "IMPORT")
    {
        var broker = new BrokerRealm(scene, name);
        await scene.Admin.ImportRealmAsync(broker._realm, """{"enabled":true}""", Token);
        await scene.Admin.AddIdentityProviderAsync(scene.Realm, broker.Alias, broker._realm, Token, syncMode);
        await scene.Admin.CreateUserAsync(broker._realm, ContractFixture.Named(name), Token);
        return broker;
    }

    public Task LoginAsync() =>
        _scene.Browser.LoginThroughBrokerAsync(_scene.Realm, Alias, _name, ContractFixture.Named(_name).Password, Token);

    /// <summary>Signs in for the first time and closes the browser before the last step.</summary>
    public Task AbandonLoginAsync() =>
        _scene.Browser.AbandonBrokerLoginAsync(_scene.Realm, Alias, _name, ContractFixture.Named(_name).Password, Token);

    public async Task ChangeAddressAsync(string email)
    {
        var id = (string)(await _scene.Admin.FindUserAsync(_realm, _name, Token))!["id"]!;
        await _scene.Admin.UpdateUserAsync(_realm, id, new() { ["email"] = email }, Token);
    }
}
