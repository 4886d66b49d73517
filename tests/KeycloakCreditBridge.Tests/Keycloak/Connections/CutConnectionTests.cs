using System.Net.Sockets;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Keycloak.Connections;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;

namespace KeycloakCreditBridge.Tests.Keycloak.Connections;

public sealed class CutConnectionTests
{
    [Fact]
    public async Task A_connection_that_is_cut_while_it_is_made_counts_as_a_server_out_of_reach()
    {
        using var http = new HttpMessageInvoker(new CutConnectionHandler { InnerHandler = new CuttingHandler() });
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri("http://sso.example.com"));

        var error = await Assert.ThrowsAsync<HttpRequestException>(
            () => http.SendAsync(request, TestContext.Current.CancellationToken));

        Assert.Equal(HttpRequestError.ConnectionError, error.HttpRequestError);
    }

    [Fact]
    public async Task Each_request_to_Keycloak_passes_through_it()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.AddKeycloak();
        await using var app = builder.Build();

        HttpMessageHandler? next =
            app.Services.GetRequiredService<IHttpMessageHandlerFactory>().CreateHandler(KeycloakOptions.HttpClientName);
        while (next is DelegatingHandler handler and not CutConnectionHandler)
            next = handler.InnerHandler;

        Assert.IsType<CutConnectionHandler>(next);
    }

    private sealed class CuttingHandler : HttpMessageHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) =>
            throw new SocketException((int)SocketError.NotConnected);
    }
}
