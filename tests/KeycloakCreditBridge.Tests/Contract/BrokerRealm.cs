namespace KeycloakCreditBridge.Tests.Contract;

/// <summary>Another realm of the same server as identity provider of a fixture's realm, with one user in it.</summary>
internal sealed class BrokerRealm
{
    private readonly ContractFixture _fixture;
    private readonly string _name;
    private readonly string _realm;

    private BrokerRealm(ContractFixture fixture, string name) => (_fixture, _name, _realm) = (fixture, name, $"{fixture.Realm}-{name}");

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private string Alias => $"broker-{_name}";

    /// <param name="fixture">Where the user will arrive.</param>
    /// <param name="name">The user with a password at the broker.</param>
    /// <param name="syncMode">IMPORT takes the user's data at the first login only, FORCE at each.</param>
    public static async Task<BrokerRealm> CreateAsync(ContractFixture fixture, string name, string syncMode = "IMPORT")
    {
        var broker = new BrokerRealm(fixture, name);
        await fixture.Admin.ImportRealmAsync(broker._realm, """{"enabled":true}""", Token);
        await fixture.Admin.AddIdentityProviderAsync(fixture.Realm, broker.Alias, broker._realm, Token, syncMode);
        await fixture.Admin.CreateUserAsync(broker._realm, ContractFixture.Named(name), Token);
        return broker;
    }

    public Task LoginAsync() =>
        _fixture.Browser.LoginThroughBrokerAsync(_fixture.Realm, Alias, _name, ContractFixture.Named(_name).Password, Token);

    /// <summary>Signs in for the first time and closes the browser before the last step.</summary>
    public Task AbandonLoginAsync() =>
        _fixture.Browser.AbandonBrokerLoginAsync(_fixture.Realm, Alias, _name, ContractFixture.Named(_name).Password, Token);

    public async Task ChangeAddressAsync(string email)
    {
        var id = (string)(await _fixture.Admin.FindUserAsync(_realm, _name, Token))!["id"]!;
        await _fixture.Admin.UpdateUserAsync(_realm, id, new() { ["email"] = email }, Token);
    }
}
