using System.Globalization;
using System.Net;
using System.Text;
using KeycloakCreditBridge.Intake.Authentication;
using KeycloakCreditBridge.Intake.Webhooks;
using KeycloakCreditBridge.Intake.Webhooks.Formats;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.AspNetCore.Http;

namespace KeycloakCreditBridge.Tests.Intake.Webhooks;

/// <summary>Random bodies. WEBHOOK_FUZZ_BODIES sets how many are read.</summary>
public sealed class FuzzTests(PostgresFixture postgres)
{
    private const string Secret = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    private static readonly BodyFuzzer Fuzzer = new();
    private static readonly string[] Secrets = [Secret];

    private static readonly WebhookFormat?[] Pinned = [null, null, null, null, null, null, .. Enum.GetValues<WebhookFormat>()];
    private static readonly Envelope[] Envelopes = Enum.GetValues<Envelope>();

    // Tokens have tests of their own: they need a realm that publishes keys.
    private static readonly WebhookAuthentication[] Schemes =
        [.. Enum.GetValues<WebhookAuthentication>().Where(scheme => scheme != WebhookAuthentication.RealmToken)];

    private static readonly int Bodies =
        int.TryParse(Environment.GetEnvironmentVariable("WEBHOOK_FUZZ_BODIES"), CultureInfo.InvariantCulture, out var count)
            ? count : 50_000;

    [Fact]
    public Task No_body_is_more_than_malformed_and_none_is_authenticated()
    {
        // A thread of its own: tests that run beside it need those of the pool.
        return Task.Factory.StartNew(TryAll, TestContext.Current.CancellationToken, TaskCreationOptions.LongRunning, TaskScheduler.Default);

        static void TryAll()
        {
            var read = 0;
            for (var number = 0; number < Bodies; number++)
            {
                var body = Fuzzer.Body(number);
                if (IsRead(body, Envelopes[number % 7 == 0 ? number % Envelopes.Length : 0], Pinned[number % Pinned.Length]))
                    read++;
                Assert.NotEqual(AuthenticationOutcome.Valid, DeliveryAuthentication.Check(
                    Credentials(body), body, Schemes[number % Schemes.Length], Secrets, DateTimeOffset.UnixEpoch));
            }

            // Were nearly all refused at the first byte, little would have been tried.
            Assert.InRange(read, Bodies / 25, Bodies);
        }
    }

    [Fact]
    public async Task Over_HTTP_a_body_is_taken_or_a_bad_request_when_signed_and_unauthorized_when_not()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await using var host = await IntakeFixture.StartAsync(database.ConnectionString);
        await host.SchemaReadyAsync();
        for (var number = 0; number < 400; number++)
        {
            var body = Fuzzer.Body(number);
            var (unsigned, _, _) = await host.DeliverAsync(body, change: request => request.Headers.Remove(HmacSignature.Header));
            Assert.Equal(HttpStatusCode.Unauthorized, unsigned);
            Assert.Contains(
                (await host.DeliverAsync(body)).Status, (HttpStatusCode[])[HttpStatusCode.NoContent, HttpStatusCode.BadRequest]);
        }
    }

    private static bool IsRead(byte[] body, Envelope envelope, WebhookFormat? pinned)
    {
        try
        {
            if (DeliveryReader.Read(body, envelope, pinned).HintFor("demo") is { } hint)
                UserIds.ProblemWith(hint.UserId);
            return true;
        }
        catch (MalformedDeliveryException malformed)
        {
            Assert.DoesNotContain('\n', malformed.Message);
            return false;
        }
    }

    // What was sent stands in for what a forger may try in each header.
    private static HeaderDictionary Credentials(byte[] body)
    {
        var text = Encoding.UTF8.GetString(body, 0, Math.Min(body.Length, 100));
        return new HeaderDictionary
        {
            [HmacSignature.Header] = body.Length % 2 == 0 ? text : "sha256=" + Deliveries.Sign(body, "another-secret"),
            ["Authorization"] = "Basic " + Convert.ToBase64String(body),
            ["X-Webhook-Secret"] = text,
            ["webhook-id"] = "1",
            ["webhook-timestamp"] = "1",
            ["webhook-signature"] = "v1," + Convert.ToBase64String(body.AsSpan(0, Math.Min(body.Length, 32))) + " " + text,
        };
    }
}
