using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Keycloak.Events;
using static KeycloakCreditBridge.Tests.Keycloak.ScriptedKeycloak;

namespace KeycloakCreditBridge.Tests.Keycloak.Admin;

public sealed class ErrorTests
{
    private const string Itself = """[{"id":"1","username":"service-account-credit-bridge"}]""";
    private static readonly EventQuery Recent = new(new DateTimeOffset(2026, 12, 1, 11, 50, 0, TimeSpan.Zero), 0, 100, Ascending: true);

    [Fact]
    public async Task A_missing_role_is_named()
    {
        await using var fixture = await ClientFixture.StartAsync();
        fixture.Server.On("/admin/realms/", Says(403, """{"error":"HTTP 403 Forbidden"}"""));
        var (client, cancellation) = (fixture.Client, ClientFixture.Cancellation);

        await RefusesAsync(fixture, "view-users", client.CountUsersAsync("shop", cancellation));
        await RefusesAsync(fixture, "view-users", client.ListUsersAsync("shop", 0, 10, cancellation));
        await RefusesAsync(fixture, "view-users", client.FindUserAsync("shop", "1", cancellation));
        await RefusesAsync(fixture, "view-events", fixture.Events.GetConfigAsync("shop", cancellation));
        await RefusesAsync(fixture, "view-events", fixture.Events.ListUserEventsAsync("shop", Recent, cancellation));
        await RefusesAsync(fixture, "view-events", client.GetCapabilitiesAsync("shop", cancellation));
    }

    [Theory]
    [InlineData("3", "[]")]
    [InlineData("0", "[]")]
    [InlineData("3", Itself)]
    public async Task A_list_in_which_even_the_own_account_is_missing_is_a_missing_role(string count, string itself)
    {
        await using var fixture = await ClientFixture.StartAsync();
        fixture.Server.On("/users/count", Says(200, count));
        fixture.Server.On("/users?", Says(200, "[]"));
        fixture.Server.On("username=service-account-credit-bridge", Says(200, itself));

        await RefusesAsync(fixture, "view-users", fixture.Client.CheckAccessAsync("shop", events: true, ClientFixture.Cancellation));
    }

    [Theory]
    [InlineData("/events?")]
    [InlineData("/admin-events?")]
    public async Task Access_to_both_kinds_of_events_is_checked(string endpoint)
    {
        await using var fixture = await ClientFixture.StartAsync();
        fixture.Server.On("/users/count", Says(200, "0"));
        fixture.Server.On("/users?", Says(200, "[]"));
        fixture.Server.On("username=service-account-credit-bridge", Says(200, Itself));
        fixture.Server.On("/events?", Says(200, "[]"));
        fixture.Server.On("/admin-events?", Says(200, "[]"));
        await fixture.Client.CheckAccessAsync("shop", events: true, ClientFixture.Cancellation);

        fixture.Server.On(endpoint, Says(403, """{"error":"HTTP 403 Forbidden"}"""));
        await RefusesAsync(fixture, "view-events", fixture.Client.CheckAccessAsync("shop", events: true, ClientFixture.Cancellation));
    }

    [Fact]
    public void An_error_with_half_a_character_is_no_error_of_Keycloak() =>
        Assert.Null(ServerError.Read("""{"error":"\ud800"}"""u8.ToArray()).Code);

    [Fact]
    public async Task An_unknown_realm_is_named_with_its_key()
    {
        await using var fixture = await ClientFixture.StartAsync();
        fixture.Server.On("/users/count", Says(404, """{"error":"Realm not found."}"""));
        await NamesRealmAsync(fixture);

        fixture.Server.On("/protocol/openid-connect/token", Says(404, """{"error":"Realm does not exist"}"""));
        await NamesRealmAsync(fixture);
    }

    [Fact]
    public async Task A_realm_that_is_not_configured_is_refused_without_asking()
    {
        await using var fixture = await ClientFixture.StartAsync();

        var exception = await fixture.FailAsync<KeycloakRealmNotFoundException>(
            fixture.Client.CountUsersAsync("elsewhere", ClientFixture.Cancellation));

        Assert.Contains("Keycloak:Realms", exception.Message, StringComparison.Ordinal);
        Assert.Empty(fixture.Server.Requests);
    }

    [Theory]
    [InlineData(404, """{"error":"Unable to find matching target resource method"}""")]
    [InlineData(404, "<html>not here</html>")]
    [InlineData(302, "")]
    [InlineData(401, "<html>proxy</html>")]
    public async Task A_wrong_address_is_not_taken_for_a_missing_user_or_a_wrong_secret(int status, string body)
    {
        await using var fixture = await ClientFixture.StartAsync();
        fixture.Server.On("/protocol/openid-connect/token", Says(status, body));

        var exception = await fixture.FailAsync<KeycloakProtocolException>(
            fixture.Client.FindUserAsync("shop", "1", ClientFixture.Cancellation));

        Assert.Contains("Keycloak:Url", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Only_a_404_of_Keycloak_itself_makes_a_user_missing()
    {
        await using var fixture = await ClientFixture.StartAsync();
        fixture.Server.On("/users/1", Says(404, """{"error":"User not found"}"""));
        Assert.Null(await fixture.Client.FindUserAsync("shop", "1", ClientFixture.Cancellation));

        fixture.Server.On("/users/1", Says(404, "<html>not here</html>"));
        await fixture.FailAsync<KeycloakProtocolException>(fixture.Client.FindUserAsync("shop", "1", ClientFixture.Cancellation));
    }

    [Theory]
    [InlineData("/events?")]
    [InlineData("/admin-events?")]
    public async Task A_second_event_store_is_named_at_once_with_its_cure(string endpoint)
    {
        await using var fixture = await ClientFixture.StartAsync();
        fixture.Server.On("/users?", Says(200, Itself));
        fixture.Server.On("/events?", Says(200, "[]"));
        fixture.Server.On("/admin-events?", Says(200, "[]"));
        fixture.Server.On(
            endpoint, Says(500, """{"error":"unknown_error","error_description":"For more on this error consult the server log."}"""));

        var exception = await fixture.FailAsync<KeycloakEventStoreException>(
            fixture.Client.CheckAccessAsync("shop", events: true, ClientFixture.Cancellation));

        Assert.Contains("KC_SPI_EVENTS_STORE__PROVIDER=jpa", exception.Message, StringComparison.Ordinal);
        Assert.Single(fixture.Server.Targets, target => target.Contains(endpoint, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("f:comp:ü/ä", "f%3Acomp%3A%C3%BC%2F%C3%A4")]
    [InlineData("a?b#c%2F", "a%3Fb%23c%252F")]
    [InlineData("../users", "..%2Fusers")]
    [InlineData(" \\;", "%20%5C%3B")]
    public async Task Ids_and_realm_names_are_opaque(string id, string escaped)
    {
        await using var fixture = await ClientFixture.StartAsync();
        fixture.Server.On("/users/", Says(200, """{"id":"x"}"""));

        await fixture.Client.FindUserAsync("münchen / süd", id, ClientFixture.Cancellation);

        Assert.Equal($"/admin/realms/m%C3%BCnchen%20%2F%20s%C3%BCd/users/{escaped}", Assert.Single(fixture.Server.Targets));
    }

    [Theory]
    [InlineData("")]
    [InlineData(".")]
    [InlineData("..")]
    [InlineData("count")]
    [InlineData("profile")]
    [InlineData("a\0b")]
    public async Task Ids_that_no_user_can_have_are_not_asked_for(string id)
    {
        await using var fixture = await ClientFixture.StartAsync();

        Assert.Null(await fixture.Client.FindUserAsync("shop", id, ClientFixture.Cancellation));

        Assert.Empty(fixture.Server.Requests);
    }

    private static async Task NamesRealmAsync(ClientFixture fixture)
    {
        var exception = await fixture.FailAsync<KeycloakRealmNotFoundException>(
            fixture.Client.CountUsersAsync("münchen / süd", ClientFixture.Cancellation));
        Assert.Contains("'münchen / süd'", exception.Message, StringComparison.Ordinal);
        Assert.Contains("Keycloak:Realms:1:Name", exception.Message, StringComparison.Ordinal);
    }

    private static async Task RefusesAsync(ClientFixture fixture, string role, Task call)
    {
        var exception = await fixture.FailAsync<KeycloakForbiddenException>(call);
        Assert.Equal(role, exception.Role);
        Assert.Contains(role, exception.Message, StringComparison.Ordinal);
    }
}
