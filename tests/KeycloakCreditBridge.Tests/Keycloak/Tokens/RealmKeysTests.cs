using System.Text.Json.Nodes;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Keycloak.Tokens;
using static KeycloakCreditBridge.Tests.Keycloak.ScriptedKeycloak;

namespace KeycloakCreditBridge.Tests.Keycloak.Tokens;

public sealed class RealmKeysTests
{
    private const string Issuer = "https://sso.example.com/realms/shop";
    private const string Discovery = $$"""{"issuer":"{{Issuer}}"}""";

    [Fact]
    public async Task Keys_are_read_once_for_callers_that_come_together_and_kept()
    {
        await using var fixture = await StartAsync(Says(200, Keys("first")));

        var read = await Task.WhenAll(Enumerable.Range(0, 16).Select(_ => GetAsync(fixture, "first")));
        fixture.Clock.Advance(TimeSpan.FromMinutes(9));
        await GetAsync(fixture, "first");

        Assert.All(read, keys => Assert.Equal(["https://sso.example.com/realms/shop"], keys.Issuers));
        Assert.Equal(1, Readings(fixture));
    }

    [Fact]
    public async Task A_new_key_is_known_at_once_and_an_invented_one_is_asked_for_at_most_every_ten_seconds()
    {
        await using var fixture = await StartAsync(Says(200, Keys("first")), Says(200, Keys("first", "second")));
        await GetAsync(fixture, "first");
        for (var attempt = 0; attempt < 20; attempt++)
            await GetAsync(fixture, "second");
        Assert.Equal(1, Readings(fixture));

        fixture.Clock.Advance(TimeSpan.FromSeconds(11));
        Assert.True((await GetAsync(fixture, "second")).Contains("second"));
        for (var attempt = 0; attempt < 20; attempt++)
            await GetAsync(fixture, "invented");
        Assert.Equal(2, Readings(fixture));
    }

    [Fact]
    public async Task A_new_issuer_is_known_at_once_the_old_one_is_refused_and_an_invented_one_is_asked_for_at_most_every_ten_seconds()
    {
        const string Renamed = "https://login.example.com/realms/shop";
        await using var fixture = await ClientFixture.StartAsync();
        fixture.Server.On(
            "/.well-known/openid-configuration", Says(200, Discovery),
            Says(200, Discovery.Replace(Issuer, Renamed, StringComparison.Ordinal)));
        fixture.Server.On("/protocol/openid-connect/certs", Says(200, Keys("first")));
        Assert.Equal([Issuer], (await GetAsync(fixture, "first")).Issuers);
        for (var attempt = 0; attempt < 20; attempt++)
            Assert.Equal([Issuer], (await GetAsync(fixture, "first", Renamed)).Issuers);
        Assert.Equal(1, Readings(fixture));

        fixture.Clock.Advance(TimeSpan.FromSeconds(11));
        Assert.Equal([Renamed], (await GetAsync(fixture, "first", Renamed)).Issuers);
        for (var attempt = 0; attempt < 20; attempt++)
            Assert.Equal([Renamed], (await GetAsync(fixture, "first", "https://evil.example.com/realms/shop")).Issuers);
        Assert.Equal([Renamed], (await GetAsync(fixture, "first")).Issuers);
        Assert.Equal(2, Readings(fixture));
    }

    [Fact]
    public async Task A_known_issuer_stays_valid_while_another_one_is_asked_for_in_vain()
    {
        await using var fixture = await StartAsync(Says(200, Keys("first")), Says(503, "{}"));
        await GetAsync(fixture, "first");
        fixture.Clock.Advance(TimeSpan.FromSeconds(11));
        await Assert.ThrowsAsync<KeycloakUnavailableException>(() => GetAsync(fixture, "first", "https://evil.example.com/realms/shop"));
        Assert.True((await GetAsync(fixture, "first")).Contains("first"));
        Assert.Equal(2, Readings(fixture));
    }

    [Fact]
    public async Task A_revoked_key_is_forgotten_after_ten_minutes()
    {
        await using var fixture = await StartAsync(Says(200, Keys("first")), Says(200, Keys("second")));
        await GetAsync(fixture, "first");
        fixture.Clock.Advance(TimeSpan.FromMinutes(11));
        await Eventually.TrueAsync(async () => !(await GetAsync(fixture, "first")).Contains("first"), "the key is forgotten");
    }

    [Fact]
    public async Task Known_keys_stay_valid_while_Keycloak_is_unreachable()
    {
        await using var fixture = await StartAsync(Says(200, Keys("first")), Says(503, "{}"));
        await GetAsync(fixture, "first");
        fixture.Clock.Advance(TimeSpan.FromMinutes(11));
        Assert.True((await GetAsync(fixture, "first")).Contains("first"));
        await Eventually.TrueAsync(() => Readings(fixture) == 2, "Keycloak is asked");
        Assert.True((await GetAsync(fixture, "first")).Contains("first"));
    }

    [Fact]
    public async Task While_Keycloak_hangs_callers_without_keys_wait_together_and_then_not_again()
    {
        await using var fixture = await StartAsync(Hangs, Says(200, Keys("first")));
        var waiting = Enumerable.Range(0, 16).Select(_ => GetAsync(fixture, "first")).ToArray();
        await Eventually.TrueAsync(() => Readings(fixture) == 1, "Keycloak is asked");
        fixture.Clock.Advance(TimeSpan.FromSeconds(5));
        foreach (var call in waiting)
            Assert.Contains(
                "GET keys", (await Assert.ThrowsAsync<KeycloakUnavailableException>(() => SoonAsync(call))).Message,
                StringComparison.Ordinal);
        await Assert.ThrowsAsync<KeycloakUnavailableException>(() => SoonAsync(GetAsync(fixture, "first")));
        Assert.Equal(1, Readings(fixture));

        fixture.Clock.Advance(TimeSpan.FromSeconds(11));
        Assert.True((await GetAsync(fixture, "first")).Contains("first"));
    }

    [Fact]
    public async Task While_Keycloak_hangs_known_keys_are_used_at_once()
    {
        await using var fixture = await StartAsync(Says(200, Keys("first")), Hangs);
        await GetAsync(fixture, "first");
        fixture.Clock.Advance(TimeSpan.FromMinutes(11));
        for (var attempt = 0; attempt < 20; attempt++)
            Assert.True((await SoonAsync(GetAsync(fixture, "first"))).Contains("first"));
        await Eventually.TrueAsync(() => Readings(fixture) == 2, "Keycloak is asked");
    }

    [Fact]
    public async Task A_cancelled_caller_does_not_cancel_the_reading_of_others()
    {
        using var answered = new SemaphoreSlim(0);
        await using var fixture = await StartAsync(
            Says(200, Keys("first")),
            async context =>
            {
                await answered.WaitAsync(context.RequestAborted);
                await Says(200, Keys("first", "second"))(context);
            });
        await GetAsync(fixture, "first");
        fixture.Clock.Advance(TimeSpan.FromSeconds(11));
        using var caller = new CancellationTokenSource();
        var cancelled = fixture.Keys.GetAsync("shop", "second", Issuer, caller.Token);
        await Eventually.TrueAsync(() => Readings(fixture) == 2, "Keycloak is asked");
        await caller.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => SoonAsync(cancelled));

        var other = GetAsync(fixture, "second");
        answered.Release();
        Assert.True((await SoonAsync(other)).Contains("second"));
        Assert.Equal(2, Readings(fixture));
    }

    [Fact]
    public async Task An_unknown_key_is_not_called_wrong_while_Keycloak_is_unreachable()
    {
        await using var fixture = await StartAsync(Says(200, Keys("first")), Says(503, "{}"), Says(200, Keys("first", "second")));
        await GetAsync(fixture, "first");
        fixture.Clock.Advance(TimeSpan.FromSeconds(11));
        for (var attempt = 0; attempt < 20; attempt++)
            await Assert.ThrowsAsync<KeycloakUnavailableException>(() => GetAsync(fixture, "second"));
        Assert.True((await GetAsync(fixture, "first")).Contains("first"));
        Assert.Equal(2, Readings(fixture));

        fixture.Clock.Advance(TimeSpan.FromSeconds(11));
        Assert.True((await GetAsync(fixture, "second")).Contains("second"));
    }

    [Theory]
    [InlineData(503, "{}")]
    [InlineData(200, "<html>")]
    [InlineData(200, "[]")]
    public async Task Without_any_keys_the_reason_is_reported(int status, string body)
    {
        await using var fixture = await StartAsync(Says(status, body));
        var exception = await Assert.ThrowsAnyAsync<KeycloakException>(() => GetAsync(fixture, "first"));
        Assert.Contains("GET keys", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_key_for_encryption_verifies_nothing()
    {
        await using var fixture = await StartAsync(Says(200, Keys("first").Replace("sig", "enc", StringComparison.Ordinal)));
        Assert.Empty((await GetAsync(fixture, "first")).Keys);
    }

    private static async Task<ClientFixture> StartAsync(params Microsoft.AspNetCore.Http.RequestDelegate[] answers)
    {
        var fixture = await ClientFixture.StartAsync();
        fixture.Server.On("/.well-known/openid-configuration", Says(200, Discovery));
        fixture.Server.On("/protocol/openid-connect/certs", answers);
        return fixture;
    }

    private static Task<PublishedKeys> GetAsync(ClientFixture fixture, string keyId, string issuer = Issuer) =>
        fixture.Keys.GetAsync("shop", keyId, issuer, ClientFixture.Cancellation);

    private static Task<PublishedKeys> SoonAsync(Task<PublishedKeys> call) =>
        call.WaitAsync(TimeSpan.FromMinutes(1), ClientFixture.Cancellation);

    private static int Readings(ClientFixture fixture) =>
        fixture.Server.Targets.Count(target => target.EndsWith("/certs", StringComparison.Ordinal));

    private static string Keys(params string[] ids) => new JsonObject
    {
        ["keys"] = new JsonArray([.. ids.Select(id => new JsonObject
        {
            ["kid"] = id, ["kty"] = "RSA", ["alg"] = "RS256", ["use"] = "sig", ["n"] = "AQAB", ["e"] = "AQAB",
        })]),
    }.ToJsonString();
}
