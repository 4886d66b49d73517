using System.Text;
using KeycloakCreditBridge.Configuration;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.OpenApi;

namespace KeycloakCreditBridge.Api.Description;

/// <summary>The OpenAPI document: what holds for all of it, and its text, which is made once.</summary>
internal sealed class ApiDocument([FromKeyedServices(ApiDocument.Name)] IOpenApiDocumentProvider provider)
{
    /// <summary>Its name in its address.</summary>
    public const string Name = "v1";

    private const string Bearer = "bearer";

    private readonly Lock _gate = new();
    private Task<byte[]>? _text;

    /// <summary>As JSON.</summary>
    public Task<byte[]> TextAsync()
    {
        lock (_gate)
        {
            if (_text is null or { IsFaulted: true })
                _text = Task.Run(WriteAsync);
            return _text;
        }
    }

    /// <summary>Describes schemas as clients need them, and the proof that each route requires.</summary>
    public static void Configure(OpenApiOptions options)
    {
        options.OpenApiVersion = OpenApiSpecVersion.OpenApi3_1;
        options.CreateSchemaReferenceId = SchemaRules.ReferenceOf;
        options.AddSchemaTransformer(SchemaRules.ApplyAsync);
        options.AddOperationTransformer((operation, context, _) =>
        {
            var metadata = context.Description.ActionDescriptor.EndpointMetadata;
            string[] proofs = metadata.OfType<IAuthorizeData>().Any() ? [Bearer]
                : [.. metadata.OfType<ProofMetadata>().SelectMany(proof => proof.Schemes)];
            operation.Security = [.. proofs.Select(proof =>
                new OpenApiSecurityRequirement { [new OpenApiSecuritySchemeReference(proof, context.Document)] = [] })];
            return Task.CompletedTask;
        });
        options.AddDocumentTransformer((document, _, _) =>
        {
            document.Info = new OpenApiInfo
            {
                Title = "Keycloak Credit Bridge", Version = ProductVersion.Text,
                Description = "Credit accounts of Keycloak users. Failures are answered as problem documents (RFC 9457).",
            };
            // The document is the same for every caller, so that it names no host.
            document.Servers = [new OpenApiServer { Url = "/", Description = "The bridge that answers this document." }];
            document.Components ??= new OpenApiComponents();
            document.Components.SecuritySchemes = new Dictionary<string, IOpenApiSecurityScheme>
            {
                [Bearer] = new OpenApiSecurityScheme
                {
                    Type = SecuritySchemeType.Http, Scheme = "bearer", BearerFormat = "JWT",
                    Description = "An access token of a configured realm.",
                },
                [ProofMetadata.GatewayKey] = new OpenApiSecurityScheme
                {
                    Type = SecuritySchemeType.ApiKey, In = ParameterLocation.Header, Name = "x-api-key",
                    Description = "A key of Metering:ApiKeys.",
                },
                [ProofMetadata.GatewayBearer] = new OpenApiSecurityScheme
                {
                    Type = SecuritySchemeType.Http, Scheme = "bearer", Description = "The same key as a bearer token.",
                },
            };
            return Task.CompletedTask;
        });
    }

    private async Task<byte[]> WriteAsync()
    {
        var document = await provider.GetOpenApiDocumentAsync(CancellationToken.None);
        return Encoding.UTF8.GetBytes(await document.SerializeAsJsonAsync(OpenApiSpecVersion.OpenApi3_1));
    }
}
