using System.Net;
using System.Text.Json.Nodes;
using KeycloakCreditBridge.Tests.Credits;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Api.Tokens;

public sealed class TokenRoleTests(PostgresFixture postgres) : IAsyncLifetime
{
    private CreditsFixture _fixture = null!;

    public async ValueTask InitializeAsync() => _fixture = await CreditsFixture.StartAsync(postgres);

    public ValueTask DisposeAsync() => _fixture.DisposeAsync();

    [Theory]
    [InlineData(CreditsFixture.Allocate, "credits-admin")]
    [InlineData(CreditsFixture.Refund, "credits-admin")]
    [InlineData(CreditsFixture.Adjust, "credits-admin")]
    [InlineData(CreditsFixture.Deduct, "credits-service or credits-admin")]
    public async Task A_user_s_token_changes_nothing_and_the_answer_names_the_role(string path, string role)
    {
        var id = await _fixture.AddUserAsync();
        var body = new JsonObject { ["user_id"] = id, ["amount"] = "1", ["source"] = "s", ["reason"] = "r", ["service"] = "s" };
        var answer = await _fixture.PostAsync(path, _fixture.TokenOf(id), body);
        Assert.Equal(HttpStatusCode.Forbidden, answer.Status);
        Assert.Contains(role, answer.Detail, StringComparison.Ordinal);
        Assert.Equal("purchase 5.000000 5.000000", await _fixture.LedgerOfAsync(id));
    }

    [Fact]
    public async Task A_service_allocates_nothing()
    {
        var id = await _fixture.AddUserAsync();
        var body = new JsonObject { ["user_id"] = id, ["amount"] = "1", ["source"] = "s" };
        Assert.Equal(HttpStatusCode.Forbidden, (await _fixture.PostAsync(CreditsFixture.Allocate, _fixture.TokenOf("s1",
            CreditsFixture.Service), body)).Status);
    }

    [Fact]
    public async Task Roles_of_other_clients_are_no_roles_here()
    {
        var claims = _fixture.Claims("u1");
        claims["resource_access"] = new JsonObject { ["shop"] = new JsonObject { ["roles"] = new JsonArray(CreditsFixture.Admin) } };
        var body = new JsonObject { ["user_id"] = await _fixture.AddUserAsync(), ["amount"] = "1", ["source"] = "s" };
        Assert.Equal(HttpStatusCode.Forbidden, (await _fixture.PostAsync(CreditsFixture.Allocate, _fixture.Sign(claims), body)).Status);
        claims["realm_access"] = new JsonObject { ["roles"] = new JsonArray(CreditsFixture.Admin) };
        Assert.Equal(HttpStatusCode.OK, (await _fixture.PostAsync(CreditsFixture.Allocate, _fixture.Sign(claims), body)).Status);
    }
}
