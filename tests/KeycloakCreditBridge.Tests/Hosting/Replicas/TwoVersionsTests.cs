using System.Globalization;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using KeycloakCreditBridge.Intake.Authentication;
using KeycloakCreditBridge.Sandbox.Bridges;
using KeycloakCreditBridge.Sandbox.Emulator.Users;
using KeycloakCreditBridge.Tests.Faults;
using KeycloakCreditBridge.Tests.Intake;
using KeycloakCreditBridge.Tests.Running;

namespace KeycloakCreditBridge.Tests.Hosting.Replicas;

/// <summary>
/// An earlier program and this one on one database, under load, for minutes: `.ci/both-versions` builds an earlier one, names it in
/// EARLIER_PROGRAM and runs the test, which no other run does.
/// </summary>
[StartsPrograms]
public sealed class TwoVersionsTests : IDisposable
{
    private const int Callers = 6;

    private static readonly TimeSpan Duration = TimeSpan.FromSeconds(Effort.Times(3));

    private readonly HttpClient _http = new() { Timeout = TimeSpan.FromSeconds(10) };
    private readonly Uri[] _replicas = [FaultFixture.NewUrl(), FaultFixture.NewUrl()];
    private int _users;
    private int _ends;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact(Explicit = true)]
    public async Task Every_hint_is_completed_and_every_grant_and_charge_made_once_while_both_are_restarted_in_turns()
    {
        var program = Environment.GetEnvironmentVariable("EARLIER_PROGRAM");
        Assert.False(string.IsNullOrEmpty(program), "Run it by .ci/both-versions.");
        await using var fixture = await FaultFixture.CreateAsync();
        // It makes the schema that it knows; the program of today migrates it while the other one works.
        await using var earlier = new Replica(_replicas[0], fixture.HintsOnly, [program!]);
        await earlier.StartAsync();
        using var stop = new CancellationTokenSource();
        Task[] callers = [.. Enumerable.Range(0, Callers).Select(_ => CallAsync(fixture, stop.Token))];
        await Eventually.TrueAsync(() => Volatile.Read(ref _users) > Callers, "the earlier program works");
        await using var today = new Replica(_replicas[1], fixture.HintsOnly, []);
        await today.StartAsync();

        var started = TimeProvider.System.GetTimestamp();
        while (_ends < 2 || TimeProvider.System.GetElapsedTime(started) < Duration)
        {
            var served = Volatile.Read(ref _users);
            await Eventually.TrueAsync(() => Volatile.Read(ref _users) > served + Callers, "both work");
            var replica = _ends++ % 2 == 0 ? earlier : today;
            await replica.EndAsync(isKilled: _ends % 4 < 2);
            await replica.StartAsync();
        }

        await stop.CancelAsync();
        await Task.WhenAll(callers);
        await Eventually.TrueAsync(async () => await fixture.HintsAsync() == 0, "every hint is completed");

        // Each user was reported to a replica that took it; every second one also read and paid through both at once.
        var paid = _users / 2;
        Assert.Equal(_users, await fixture.CountAsync("user_credits where status = 'active'"));
        Assert.Equal(_users, await fixture.CountAsync("credit_transactions where grant_key = 'signup' and amount = 5"));
        Assert.Equal(_users, await fixture.CountAsync("audit_logs where action = 'credit.create'"));
        Assert.Equal(paid, await fixture.CountAsync("user_credits where credits_remaining = 4"));
        Assert.Equal(_users - paid, await fixture.CountAsync("user_credits where credits_remaining = 5"));
        Assert.Equal(_users + paid, await fixture.CountAsync("credit_transactions"));
        var seconds = TimeProvider.System.GetElapsedTime(started).TotalSeconds;
        TestContext.Current.TestOutputHelper?.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{seconds:0} s with both versions: {_users} users, {paid} of them paid through both at once, {_ends} ends and starts; "
            + $"every hint completed, {_users} grants and {paid} charges"));
    }

    public void Dispose() => _http.Dispose();

    private async Task CallAsync(FaultFixture fixture, CancellationToken stopping)
    {
        while (!stopping.IsCancellationRequested)
        {
            var number = Interlocked.Increment(ref _users) - 1;
            var id = EmulatedUser.NewId();
            fixture.Keycloak.Realm(FaultFixture.Realm).AddUser(new EmulatedUser(id, $"user-{number}")
            {
                CreatedTimestamp = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds(),
            });
            var body = Deliveries.UserEvent(id);
            if (number % 2 == 0)
            {
                await SendAsync(number / 2, () => Webhook(body));
                continue;
            }

            var token = TokenOf(fixture, id);
            await Task.WhenAll(
                SendAsync(0, () => Webhook(body)), SendAsync(1, () => Webhook(body)),
                SendAsync(0, () => Balance(token)), SendAsync(1, () => Balance(token)),
                SendAsync(0, () => Usage(token, id)), SendAsync(1, () => Usage(token, id)));
        }
    }

    // As a load balancer does: what one replica does not answer with 2xx goes to the other.
    private Task SendAsync(int first, Func<HttpRequestMessage> make)
    {
        var turn = first;
        return Eventually.TrueAsync(
            async () =>
            {
                using var request = make();
                request.RequestUri = new Uri(_replicas[turn++ % 2], request.RequestUri!.OriginalString);
                try
                {
                    using var answer = await _http.SendAsync(request, Token);
                    return answer.IsSuccessStatusCode;
                }
                catch (Exception exception) when (exception is HttpRequestException or TaskCanceledException or IOException)
                {
                    Token.ThrowIfCancellationRequested();
                    return false;
                }
            },
            $"one of both takes {make().RequestUri}");
    }

    private static HttpRequestMessage Webhook(string body)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, new Uri($"webhooks/keycloak/{FaultFixture.Realm}", UriKind.Relative))
        {
            Content = new StringContent(body, Encoding.UTF8, "application/json"),
        };
        request.Headers.Add(HmacSignature.Header, Deliveries.Sign(Encoding.UTF8.GetBytes(body), FaultFixture.Secret));
        return request;
    }

    private static HttpRequestMessage Balance(string token)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, new Uri("api/v1/credits/balance", UriKind.Relative));
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        return request;
    }

    private static HttpRequestMessage Usage(string token, string id)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, new Uri("api/v1/credits/usage/track", UriKind.Relative))
        {
            Content = new StringContent("""{"cost":"1","service":"chat"}""", Encoding.UTF8, "application/json"),
        };
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        request.Headers.Add("Idempotency-Key", $"once-{id}");
        return request;
    }

    private static string TokenOf(FaultFixture fixture, string id) => fixture.Keycloak.Realm(FaultFixture.Realm).Sign(new JsonObject
    {
        ["iss"] = $"{fixture.Keycloak.Url}realms/{FaultFixture.Realm}", ["aud"] = "credit-bridge", ["typ"] = "Bearer", ["sub"] = id,
        ["iat"] = DateTimeOffset.UtcNow.AddSeconds(-1).ToUnixTimeSeconds(),
        ["exp"] = DateTimeOffset.UtcNow.AddMinutes(5).ToUnixTimeSeconds(),
        ["jti"] = $"onrtac:{Guid.NewGuid()}", ["preferred_username"] = id,
    });

    /// <summary>A program at an address, which ends and is started again.</summary>
    private sealed class Replica(Uri url, Dictionary<string, string> settings, string[] program) : IAsyncDisposable
    {
        private BridgeProcess? _process;

        public async Task StartAsync() => _process = await BridgeProcess.StartAsync(url, settings, program);

        public async Task EndAsync(bool isKilled)
        {
            if (isKilled)
                await _process!.KillAsync();
            else
                Assert.True(await _process!.TerminateAsync());
            await DisposeAsync();
        }

        public async ValueTask DisposeAsync()
        {
            if (_process is not null)
                await _process.DisposeAsync();
            _process = null;
        }
    }
}
