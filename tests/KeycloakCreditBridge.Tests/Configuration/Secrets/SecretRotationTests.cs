using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using KeycloakCreditBridge.Sandbox.Processes;
using KeycloakCreditBridge.Tests.Cli;
using KeycloakCreditBridge.Tests.Running;
using KeycloakCreditBridge.Tests.Sandbox.Emulator;
using KeycloakCreditBridge.Tests.Storage;
using Npgsql;

namespace KeycloakCreditBridge.Tests.Configuration.Secrets;

/// <summary>The executable with all its secrets in files, which are replaced while it runs.</summary>
[StartsPrograms]
public sealed class SecretRotationTests(PostgresFixture postgres)
{
    private const string Body = "no webhook";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Secrets_of_files_are_used_without_a_restart()
    {
        using var folder = InstanceFolder.Claim(Path.GetTempPath(), "secrets");
        await using var database = await postgres.CreateDatabaseAsync();
        await using var keycloak = await EmulatorFixture.StartAsync();
        var role = $"rotating_{database.Name}";
        await database.ExecuteAsync($"create role {role} login superuser password 'first'");
        var port = FreePort.Next();
        Write("db", "first");
        Write("client", "wrong-at-first");
        Write("webhook", "webhook-secret-number-one");
        Write("key", "gateway-key-number-one-abcdefgh");
        var certificate = NewCertificate();
        try
        {
            using var bridge = CommandProcess.Start(Settings(), "run");
            await Eventually.TrueAsync(
                async () => await ReadyAsync() is { } says && says.Contains("refused the client", StringComparison.Ordinal),
                "Keycloak refuses the first secret");
            Assert.Equal(HttpStatusCode.BadRequest, await WebhookAsync("webhook-secret-number-one"));
            Assert.Equal(HttpStatusCode.BadRequest, await ReportAsync("gateway-key-number-one-abcdefgh"));

            Write("client", BridgeFixture.Secret);
            Write("webhook", "webhook-secret-number-two");
            Write("key", "gateway-key-number-two-abcdefgh");
            await database.ExecuteAsync($"alter role {role} password 'second'");
            Write("db", "second");
            var renewed = NewCertificate();
            await database.ExecuteAsync($"select pg_terminate_backend(pid) from pg_stat_activity where usename = '{role}'");

            await Eventually.TrueAsync(
                async () => await ReadyAsync() is { } says && says.StartsWith("200", StringComparison.Ordinal), "it is ready");
            await Eventually.TrueAsync(
                async () => await WebhookAsync("webhook-secret-number-two") == HttpStatusCode.BadRequest, "the new webhook secret is good");
            Assert.Equal(HttpStatusCode.Unauthorized, await WebhookAsync("webhook-secret-number-one"));
            await Eventually.TrueAsync(
                async () => await ReportAsync("gateway-key-number-two-abcdefgh") == HttpStatusCode.BadRequest, "the new key is good");
            Assert.Equal(HttpStatusCode.Unauthorized, await ReportAsync("gateway-key-number-one-abcdefgh"));
            await Eventually.TrueAsync(async () => await ServedAsync() == renewed, "the new certificate is served");
            Assert.NotEqual(certificate, renewed);

            Write("key", "");
            Write("webhook", "webhook-secret-number-three");
            await Eventually.TrueAsync(
                async () => await WebhookAsync("webhook-secret-number-three") == HttpStatusCode.BadRequest, "the third one is good");
            Assert.Equal(HttpStatusCode.BadRequest, await ReportAsync("gateway-key-number-two-abcdefgh"));
            Assert.DoesNotContain("number-", bridge.Output + bridge.Error, StringComparison.Ordinal);
        }
        finally
        {
            await database.ExecuteAsync(
                $"select pg_terminate_backend(pid) from pg_stat_activity where usename = '{role}'; drop role {role}");
        }

        string File(string name) => Path.Combine(folder.Path, name);

        // As Kubernetes and careful operators do: never a file with half of the secret.
        void Write(string name, string text)
        {
            System.IO.File.WriteAllText(File(name + ".new"), text + "\n");
            System.IO.File.Move(File(name + ".new"), File(name), overwrite: true);
        }

        string NewCertificate()
        {
            using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
            var made = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256)
                .CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
            Write("tls.key", key.ExportPkcs8PrivateKeyPem());
            Write("tls.crt", made.ExportCertificatePem());
            return made.Thumbprint;
        }

        Dictionary<string, string?> Settings()
        {
            var connection = new NpgsqlConnectionStringBuilder(database.ConnectionString) { Username = role, Password = null };
            var settings = BridgeFixture.Settings(connection.ConnectionString, keycloak.Server.Url);
            settings.Remove("Keycloak:ClientSecret");
            settings.Remove("Urls");
            settings["Kestrel:Endpoints:Tls:Url"] = $"https://127.0.0.1:{port}";
            settings["Kestrel:Endpoints:Tls:Certificate:Path"] = File("tls.crt");
            settings["Kestrel:Endpoints:Tls:Certificate:KeyPath"] = File("tls.key");
            settings["Storage:Password_FILE"] = File("db");
            settings["Keycloak:ClientSecret_FILE"] = File("client");
            settings["Keycloak:Realms:0:WebhookSecrets:0_FILE"] = File("webhook");
            settings["Metering:ApiKeys:0_FILE"] = File("key");
            return settings;
        }

        async Task<string?> ReadyAsync()
        {
            var (status, text) = await SendAsync(HttpMethod.Get, "health/ready", _ => { });
            return status is null ? null : $"{(int)status} {text}";
        }

        async Task<HttpStatusCode?> WebhookAsync(string secret) => (await SendAsync(
            HttpMethod.Post, "webhooks/keycloak/demo", headers => headers.Add(
                "X-Keycloak-Signature",
                Convert.ToHexStringLower(HMACSHA256.HashData(Encoding.UTF8.GetBytes(secret), Encoding.UTF8.GetBytes(Body)))))).Status;

        async Task<HttpStatusCode?> ReportAsync(string key) =>
            (await SendAsync(HttpMethod.Post, "usage/litellm", headers => headers.Add("x-api-key", key))).Status;

        async Task<string?> ServedAsync()
        {
            string? thumbprint = null;
            await SendAsync(HttpMethod.Get, "health/live", _ => { }, served => thumbprint = served.Thumbprint);
            return thumbprint;
        }

        async Task<(HttpStatusCode? Status, string Text)> SendAsync(
            HttpMethod method, string path, Action<HttpRequestHeaders> prove, Action<X509Certificate2>? served = null)
        {
            using var handler = new HttpClientHandler
            {
                ServerCertificateCustomValidationCallback = (_, shown, _, _) =>
                {
                    served?.Invoke(shown!);
                    return true;
                },
            };
            using var http = new HttpClient(handler);
            using var request = new HttpRequestMessage(method, $"https://127.0.0.1:{port}/{path}");
            if (method == HttpMethod.Post)
                request.Content = new StringContent(Body, Encoding.UTF8, "application/json");
            prove(request.Headers);
            try
            {
                using var response = await http.SendAsync(request, Token);
                return (response.StatusCode, await response.Content.ReadAsStringAsync(Token));
            }
            catch (HttpRequestException)
            {
                return (null, "");
            }
        }
    }
}
