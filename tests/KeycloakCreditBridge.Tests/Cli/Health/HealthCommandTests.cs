using System.Net;
using KeycloakCreditBridge.Sandbox.Processes;
using KeycloakCreditBridge.Tests.Running;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;

namespace KeycloakCreditBridge.Tests.Cli.Health;

/// <summary>What a container's health check runs.</summary>
[StartsPrograms]
public sealed class HealthCommandTests : IAsyncDisposable
{
    private readonly int _port = FreePort.Next();
    private WebApplication? _bridge;

    [Theory]
    [InlineData(200, 0)]
    [InlineData(503, 1)]
    public async Task The_exit_code_says_whether_the_bridge_is_ready(int status, int expected)
    {
        await StartAsync(status);
        var (exitCode, output, error) = await CommandProcess.RunAsync(Settings($"http://+:{_port}"), "health");
        Assert.Equal((expected, "ready? "), (exitCode, (output + error).TrimEnd('\n')));
    }

    [Fact]
    public async Task With_json_the_answer_of_a_bridge_that_is_not_ready_is_on_standard_output()
    {
        await StartAsync(503);
        var (exitCode, output, error) = await CommandProcess.RunAsync(Settings($"http://+:{_port}"), "health", "--json");
        Assert.Equal((1, "ready? ", ""), (exitCode, output.TrimEnd('\n'), error));
    }

    [Fact]
    public async Task Liveness_is_asked_for_by_an_option()
    {
        await StartAsync(503);
        Assert.Equal(0, (await CommandProcess.RunAsync(Settings($"http://127.0.0.1:{_port}/"), "health", "--live")).ExitCode);
        Assert.Equal(0, (await CommandProcess.RunAsync([], "health", "--live", "--url", $"http://127.0.0.1:{_port}")).ExitCode);
    }

    [Fact]
    public async Task Where_no_bridge_listens_the_error_names_the_address()
    {
        var (exitCode, _, error) = await CommandProcess.RunAsync(Settings($"http://+:{_port}"), "health");
        Assert.Equal(1, exitCode);
        Assert.StartsWith($"No bridge answers at http://127.0.0.1:{_port}/health/ready: ", error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_address_that_is_none_is_wrong_usage()
    {
        var (exitCode, _, error) = await CommandProcess.RunAsync([], "health", "--url", "bridge");
        Assert.Equal(2, exitCode);
        Assert.Contains("--url bridge is no address", error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Where_the_bridge_listens_on_a_socket_the_error_names_the_option()
    {
        var (exitCode, _, error) = await CommandProcess.RunAsync(Settings("http://unix:/run/bridge.sock"), "health");
        Assert.Equal(2, exitCode);
        Assert.Contains("add --url http://HOST:PORT", error, StringComparison.Ordinal);
    }

    public async ValueTask DisposeAsync()
    {
        if (_bridge is not null)
            await _bridge.DisposeAsync();
    }

    private static Dictionary<string, string?> Settings(string address) => new() { ["ASPNETCORE_URLS"] = address };

    private async Task StartAsync(int readiness)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseKestrel(server => server.Listen(IPAddress.Loopback, _port));
        _bridge = builder.Build();
        _bridge.MapGet("/health/live", () => "live");
        _bridge.MapGet("/health/ready", () => Results.Text("ready? ", statusCode: readiness));
        await _bridge.StartAsync(TestContext.Current.CancellationToken);
    }
}
