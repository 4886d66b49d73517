using System.Text.Json.Nodes;
using KeycloakCreditBridge.Configuration;
using KeycloakCreditBridge.Keycloak;
using static KeycloakCreditBridge.Tests.Keycloak.ScriptedKeycloak;

namespace KeycloakCreditBridge.Tests.Keycloak.Admin;

public sealed class AdminSessionTests
{
    private const string Clients = "/admin/realms/shop/clients";

    [Fact]
    public async Task A_read_that_fails_for_a_moment_is_repeated()
    {
        await using var fixture = await ClientFixture.StartAsync();
        fixture.Server.On(Clients, Says(503, ""), Breaks, Says(200, "[{", "application/json"), Says(200, """[{"id":"1"}]"""));

        var found = await fixture.DriveAsync(
            fixture.AsAdministrator().GetAsync("clients?max=5", "view-clients", ClientFixture.Cancellation));

        Assert.Equal("1", (string?)found[0]!["id"]);
    }

    [Theory]
    [InlineData(500, "the same command goes on from there")]
    [InlineData(503, "the same command goes on from there")]
    [InlineData(409, "correct what it names")]
    public async Task A_write_that_fails_is_not_repeated(int status, string remedy)
    {
        await using var fixture = await ClientFixture.StartAsync();
        fixture.Server.On(Clients, Says(status, """{"errorMessage":"not now"}"""));

        var error = await fixture.FailAsync<KeycloakProtocolException>(fixture.AsAdministrator()
            .SendAsync(HttpMethod.Post, "clients", "manage-clients", new JsonObject { ["clientId"] = "new" }, ClientFixture.Cancellation));

        Assert.Contains($"answered {status} to POST clients of realm 'shop' (not now)", error.Message, StringComparison.Ordinal);
        Assert.Contains(remedy, error.Message, StringComparison.Ordinal);
        Assert.Single(fixture.Server.Requests, request => request.Target == Clients);
    }

    [Fact]
    public async Task An_administrators_token_is_renewed_once_when_it_is_refused()
    {
        await using var fixture = await ClientFixture.StartAsync();
        fixture.Server.On(Clients, Says(200, "[]"), Says(401, ""), Says(204, ""));
        var session = fixture.AsAdministrator();

        await session.GetAsync("clients", "view-clients", ClientFixture.Cancellation);
        await session.SendAsync(HttpMethod.Post, "clients", "manage-clients", new JsonObject(), ClientFixture.Cancellation);

        Assert.Equal(
            ["Bearer token-1", "Bearer token-1", "Bearer token-2"],
            fixture.Server.Requests.Where(request => request.Target == Clients).Select(request => request.Authorization));
    }

    [Fact]
    public async Task What_an_administrator_may_not_do_is_named_with_the_role()
    {
        await using var fixture = await ClientFixture.StartAsync();
        fixture.Server.On(Clients, Says(403, """{"error":"HTTP 403 Forbidden"}"""));

        var error = await Assert.ThrowsAsync<ConfigurationException>(
            () => fixture.AsAdministrator().GetAsync("clients?search=alice", "view-clients", ClientFixture.Cancellation));

        Assert.Contains(
            "refused GET clients to the administrator: it takes the role view-clients", error.Message, StringComparison.Ordinal);
    }
}
