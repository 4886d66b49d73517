using System.Net;
using System.Text;
using KeycloakCreditBridge.Intake.Authentication;
using KeycloakCreditBridge.Tests.Metering;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Intake.Webhooks;

/// <summary>The webhook's other name, which existing installations deliver to.</summary>
public sealed class UserCreatedTests(PostgresFixture postgres)
{
    private const string Path = "api/v1/webhooks/keycloak/user-created";

    [Theory]
    [InlineData(Path)]
    [InlineData(Path + "/demo")]
    public async Task A_signed_delivery_opens_an_account_and_an_unsigned_one_does_not(string path)
    {
        await using var fixture = await MeteringFixture.StartAsync(postgres, ("Keycloak:Realms:0:WebhookSecrets:0", Deliveries.Secret));
        var id = await fixture.Keycloak.CreateAsync("ana");
        var body = Encoding.UTF8.GetBytes(Deliveries.UserEvent(id));

        Assert.Equal(HttpStatusCode.Unauthorized, await DeliverAsync(fixture, path, body, null));
        Assert.Equal(
            HttpStatusCode.Unauthorized, await DeliverAsync(fixture, path, body, Deliveries.Sign(body, "another-secret-altogether")));
        Assert.Equal(0, await fixture.Database.ScalarAsync<int>("select count(*)::int from user_hints"));
        Assert.Equal(HttpStatusCode.NoContent, await DeliverAsync(fixture, path, body, Deliveries.Sign(body)));
        await Eventually.TrueAsync(
            async () => await fixture.Database.ScalarAsync<decimal?>(
                "select credits_remaining from user_credits where user_id = @Id", new { Id = id }) == 5m,
            "the account stands");
    }

    private static async Task<HttpStatusCode> DeliverAsync(MeteringFixture fixture, string path, byte[] body, string? signature)
    {
        using var http = new HttpClient();
        using var content = new ByteArrayContent(body);
        content.Headers.ContentType = new("application/json");
        if (signature is not null)
            content.Headers.Add(HmacSignature.Header, signature);
        using var answer = await http.PostAsync(new Uri(fixture.Bridge.Url, path), content, TestContext.Current.CancellationToken);
        return answer.StatusCode;
    }
}
