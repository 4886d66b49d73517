using System.Text.Json.Nodes;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Credits.Ledger;

/// <summary>Tests of one user's account, with the tokens of an administrator and a service.</summary>
public abstract class OneAccountTests(PostgresFixture postgres) : IAsyncLifetime
{
    private protected CreditsFixture Fixture { get; private set; } = null!;

    private protected string Admin { get; private set; } = "";

    private protected string Service { get; private set; } = "";

    private protected string Id { get; set; } = "";

    public async ValueTask InitializeAsync()
    {
        Fixture = await CreditsFixture.StartAsync(postgres);
        (Admin, Service) = (Fixture.TokenOf("a1", CreditsFixture.Admin), Fixture.TokenOf("s1", CreditsFixture.Service));
        Id = await Fixture.AddUserAsync();
    }

    public async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        await Fixture.DisposeAsync();
    }

    private protected JsonObject Body(JsonNode amount, params (string Name, string Value)[] more)
    {
        var body = new JsonObject { ["user_id"] = Id, ["amount"] = amount };
        foreach (var (name, value) in more)
            body[name] = value;
        return body;
    }
}
